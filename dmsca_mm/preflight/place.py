"""Check the work directory of a run: permissions, earlier checkpoints and free disk space."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from mmengine.config import Config
from torch import nn

from ..errors import UsageError

COPIES = 3
"""Size of a checkpoint in multiples of the weights: the weights and the two moment estimates of Adam."""


def checkpoint_folders(config: Config) -> list[Path]:
    """Return the folders in which a run saves: its work directory and, if set, ``out_dir`` of its checkpoint hook.

    Args:
        config: with ``work_dir``.
    """
    work_dir = Path(config.work_dir)
    out = ((config.get('default_hooks') or {}).get('checkpoint') or {}).get('out_dir')
    # mmengine adds the name of the work directory.
    return [work_dir] if out is None or '://' in out else [work_dir, Path(out) / work_dir.absolute().name]


def check_checkpoint_folder(path: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder for checkpoints that is not writable, or a new run in one that holds checkpoints.

    Args:
        path: one of :func:`checkpoint_folders`.
        resume: whether the run continues the one whose checkpoints these are.
        overwrite: whether the old checkpoints may be deleted.

    Raises:
        UsageError: as :func:`check_writable`; there are checkpoints, and ``resume`` and ``overwrite`` are False.
    """
    check_writable(path)
    old = sorted(path.glob('*.pth'))
    if old and not resume and not overwrite:
        raise UsageError(f'folder {path} holds {len(old)} checkpoint(s) of an earlier run, such as '
                         f'{old[-1].name}: continue with --resume, choose another --work-dir, or use --overwrite')


def check_writable(path: Path) -> None:
    """Refuse a folder that cannot be created or written to, without creating it.

    Args:
        path: path of the folder, which need not exist yet.

    Raises:
        UsageError: the path or a parent of it is a file, or is not writable.
    """
    try:
        there = next(place for place in (path.absolute(), *path.absolute().parents)
                     if place.exists() or place.is_symlink())
        blocked = not there.is_dir()
        closed = not os.access(there, os.W_OK | os.X_OK)
    except OSError as error:
        raise UsageError(f'folder {path} cannot be created ({error.strerror}): choose another') from None
    if blocked:
        raise UsageError(f'folder {path} cannot be created: {there} is not a folder; choose another')
    if closed:
        raise UsageError(f'folder {path} cannot be written: {there} is read-only or belongs to another user; choose '
                         'another, or change its permissions')


def check_room(path: Path, config: Config, model: nn.Module) -> list[str]:
    """Compare the free disk space with the size of the checkpoints.

    Args:
        path: the folder for checkpoints, which need not exist yet.
        config: with the number of checkpoints to keep.
        model: the model to save.

    Returns:
        A warning if two checkpoints fit on the disk but not all that the run keeps.

    Raises:
        UsageError: two checkpoints do not fit on the disk. The run needs both, as it deletes the old one only when the
            new one is complete.
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
