"""Turn the failures of a job into one line that names the cause and the remedy."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..errors import OF_THE_MACHINE, ProcessError, Stopped, UsageError
from . import blame

_LOST = re.compile(r'connection (closed|reset)|connect|socket|broken pipe|timed out|timeout', re.IGNORECASE)


@contextmanager
def readable_errors(config: Any = None, log_dir: str | Path | None = None, split: str = 'train') -> Iterator[None]:
    """Turn known failures of a job, and library errors that its config causes, into one-line errors.

    Unexpected errors in this package's own code are bugs and propagate unchanged. So do errors in a user's own module,
    unless they occur while mmengine builds a part of the config.

    Args:
        config: config of the job, to look up the part at fault; with None, the message does not name its path.
        log_dir: log folder of a running job, where the traceback is saved; None for a job that is being built.
        split: ``'train'`` or ``'test'``: which data loader the job reads, and whether it can be resumed.

    Raises:
        UsageError: a library cannot build or use a part of the config.
        ProcessError: a part of the config ended a running job; a data worker died; the connection to another process
            was lost; the memory of the machine or the GPU is full.
    """
    try:
        yield
    except MemoryError as error:
        reason = f' ({_first(error)})' if str(error) else ''
        raise ProcessError(f'the memory is full{reason}: lower {split}_dataloader.batch_size, '
                           'num_workers, or the size of the images') from error
    except torch.OutOfMemoryError as error:
        way = ', or use --amp' if split == 'train' else ''
        raise ProcessError(f'the GPU memory is full ({_first(error)}): lower {split}_dataloader.batch_size{way}'
                           ) from error
    except (UsageError, Stopped):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            raise
        known = _known(error, split) if isinstance(error, RuntimeError) else None
        known = known or _of_config(error, config, log_dir)
        if known is None:
            raise
        raise known from error


def _known(error: RuntimeError, split: str) -> ProcessError | None:
    text, resumes = str(error), split == 'train'
    if re.search(r'DataLoader worker \(pid', text):
        cause = error.__cause__ if 'DataLoader worker' in str(error.__cause__) else error  # names the signal
        return ProcessError(f'a data worker ended ({_first(cause)}): usually the memory or shared memory is full; '
                            f'lower {split}_dataloader.num_workers{", then continue with --resume" * resumes}')
    is_network = isinstance(error, dist.DistError) or 'gloo' in text or 'NCCL' in text
    if dist.is_initialized() and is_network and _LOST.search(text):
        return ProcessError(f'process {dist.get_rank()} lost the others ({_first(error)}): one of them, or its '
                            f'machine, is gone; see their output, then restart all{" with --resume" * resumes}')
    return None


def _of_config(error: Exception, config: Any, log_dir: str | Path | None) -> UsageError | None:
    """Return the error to raise for a library error that the config causes; None for any other error."""
    frames = blame.frames_of(error)
    building = any(frame.builds for frame in frames)
    if not blame.is_refusal(frames, of_a_user=building):
        return None
    part = blame.part_of(frames, config) or 'the config'
    what, place = blame.what(error, frames), f'{frames[-1].place}, line {frames[-1].line}'
    if log_dir is None:
        return UsageError(f'{part} cannot be {"built" if building else "used"}: {what} ({place}); correct it in the '
                          'config, or with --cfg-options')
    kept = blame.keep(error, Path(log_dir))
    return ProcessError(f'{part} ended the run: {what} ({place}); its entries do not fit each other or the data; the '
                        f'traceback is in {kept}')


def _first(error: BaseException) -> str:
    """Return the first sentence of a message, without the location in torch's source."""
    return blame.first_sentence(re.sub(r'^\[[^]]*\] ', '', ' '.join(str(error).split())))
