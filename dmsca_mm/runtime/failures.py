"""Failures of a running job that a person can understand: said in one line, with the way on."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from ..errors import ProcessError

_LOST = re.compile(r'connection (closed|reset)|connect|socket|broken pipe|timed out|timeout', re.IGNORECASE)


@contextmanager
def told() -> Iterator[None]:
    """Turn what ends a running job from outside into one line.

    Raises:
        ProcessError: a data worker died, another process of the job is gone, or the GPU's memory is full.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ProcessError(f'the GPU memory is full ({_first(error)}): lower train_dataloader.batch_size, or give '
                           '--amp') from error
    except RuntimeError as error:
        known = _known(error)
        if known is None:
            raise
        raise known from error


def _known(error: RuntimeError) -> ProcessError | None:
    text = str(error)
    if 'DataLoader worker' in text and 'pid' in text:
        cause = error.__cause__ if 'DataLoader worker' in str(error.__cause__) else error  # tells the signal
        return ProcessError(f'a data worker ended ({_first(cause)}): most often the memory, or the shared memory, is '
                            'full; give fewer train_dataloader.num_workers, then go on with --resume')
    is_network = isinstance(error, dist.DistError) or 'gloo' in text or 'NCCL' in text
    if dist.is_initialized() and is_network and _LOST.search(text):
        return ProcessError(f'process {dist.get_rank()} lost the others ({_first(error)}): one of them, or its '
                            'machine, is gone; see their output, then start all again with --resume')
    return None


def _first(error: BaseException) -> str:
    """The first sentence of a message, without the place in torch's source."""
    text = ' '.join(str(error).split())
    return re.split(r'\. (?=[A-Z])', re.sub(r'^\[[^]]*\] ', '', text))[0].rstrip('.')
