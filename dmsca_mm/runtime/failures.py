"""Failures of a running job that a person can understand: said in one line, with the way on."""
from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from ..errors import ProcessError, UsageError

_LOST = re.compile(r'connection (closed|reset)|connect|socket|broken pipe|timed out|timeout', re.IGNORECASE)

_BUILDER = os.path.join('mmengine', 'registry', 'build_functions.py')


@contextmanager
def told() -> Iterator[None]:
    """Turn what ends a job from outside, or cannot be built from its config, into one line.

    Raises:
        UsageError: mmengine cannot build a part of the config.
        ProcessError: a data worker died, another process of the job is gone, or the GPU's memory is full.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ProcessError(f'the GPU memory is full ({_first(error)}): lower train_dataloader.batch_size, or give '
                           '--amp') from error
    except UsageError:
        raise
    except Exception as error:
        known = _known(error) if isinstance(error, RuntimeError) else None
        known = known or _unbuilt(error)
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


def _unbuilt(error: Exception) -> UsageError | None:
    """What went wrong while mmengine's registry was building a part of the config, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    if not any(frame.filename.endswith(_BUILDER) for frame in frames):
        return None
    where = '/'.join(Path(frames[-1].filename).parts[-3:])
    return UsageError(f'the config cannot be built: {type(error).__name__}: {_first(error)} ({where}, line '
                      f'{frames[-1].lineno})')


def _first(error: BaseException) -> str:
    """The first sentence of a message, without the place in torch's source."""
    text = ' '.join(str(error).split())
    return re.split(r'\. (?=[A-Z])', re.sub(r'^\[[^]]*\] ', '', text))[0].rstrip('.')
