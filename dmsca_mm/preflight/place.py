"""Where a run writes: a place that can be written, nothing of an earlier run in the way, and room enough."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from mmengine.config import Config
from torch import nn

from ..errors import UsageError

COPIES = 3
"""Sizes of the weights that a checkpoint takes: the weights and, with Adam, two averages."""


def check_work_directory(path: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to start where nothing can be written, or a fresh run where another run's checkpoints lie.

    Args:
        path: the work directory.
        resume: whether the run resumes from a checkpoint.
        overwrite: whether the old checkpoints may go.

    Raises:
        UsageError: as :func:`check_writable`; there are checkpoints and neither is given.
    """
    check_writable(path)
    old = sorted(path.glob('*.pth'))
    if old and not resume and not overwrite:
        raise UsageError(f'work directory {path} holds {len(old)} checkpoint(s) of an earlier run, such as '
                         f'{old[-1].name}: go on with --resume, choose another --work-dir, or give --overwrite')


def check_writable(path: Path) -> None:
    """Refuse a folder that cannot be made or written; nothing is made.

    Args:
        path: of the folder; it may not be there yet.

    Raises:
        UsageError: a file has its name, or it cannot be written.
    """
    try:
        there = next(place for place in (path.absolute(), *path.absolute().parents)
                     if place.exists() or place.is_symlink())
        blocked = not there.is_dir()
        closed = not os.access(there, os.W_OK | os.X_OK)
    except OSError as error:
        raise UsageError(f'folder {path} cannot be made ({error.strerror}): choose another') from None
    if blocked:
        raise UsageError(f'folder {path} cannot be made: {there} is no folder; choose another')
    if closed:
        raise UsageError(f'folder {path} cannot be written: {there} is read-only or belongs to another user; choose '
                         'another, or change its permissions')


def check_room(path: Path, config: Config, model: nn.Module) -> list[str]:
    """Compare the disk's free room with what the checkpoints will take.

    Args:
        path: the work directory; it may not be there yet.
        config: with the number of checkpoints to keep.
        model: what is saved.

    Returns:
        A warning where the room is enough for a checkpoint but not for all that are kept.

    Raises:
        UsageError: there is no room for a checkpoint and, as the old one stays until the new one is complete, its
            predecessor.
    """
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    one = COPIES * sum(value.numel() * value.element_size() for value in model.state_dict().values())
    if free < 2 * one:
        raise UsageError(f'{path} has {free / 1e6:.0f} MB free, and two checkpoints take about {2 * one / 1e6:.0f} MB: '
                         'make room, or choose another --work-dir')
    hook = (config.get('default_hooks') or {}).get('checkpoint') or {}
    kept = hook.get('max_keep_ckpts', -1)
    length = config.get('train_cfg') or {}
    saves = (length.get('max_epochs') or length.get('max_iters') or 1) // max(1, hook.get('interval', 1))
    needed = one * (1 + (saves if kept < 0 else min(kept, saves)))
    if free < needed:
        return [f'{path} has {free / 1e6:.0f} MB free, and the checkpoints of the whole run take about '
                f'{needed / 1e6:.0f} MB: keep fewer with --cfg-options default_hooks.checkpoint.max_keep_ckpts=2']
    return []
