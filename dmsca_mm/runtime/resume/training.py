"""Compare the training settings of two runs, and explain the effect of each change."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import UsageError
from ..hooks import OWN
from .differences import Difference, differences, type_name
from .loops import SameEpochLoop, SameIterLoop

_OWN_LOOPS = [loop.__name__ for loop in (SameEpochLoop, SameIterLoop)]
"""Loops that this package adds to every run, whatever its config."""

STEP = "from here a step uses other images, at the checkpoint's learning rate"
_DATA = 'the rest of the run trains on that'
_ORDER = 'images come in another order from here'
_LENGTH = 'the run ends there, and the learning rate follows the schedule of the checkpoint'
_SCHEDULE = 'no effect, the schedule of the checkpoint goes on'
_OPTIMIZER = "no effect, the optimizer goes on with the checkpoint's"
HOLDS = 'it holds from here'
_SCORES = 'scores before and after do not compare'

MEANINGS = {
    'train_dataloader.batch_size': STEP, 'optim_wrapper.accumulative_counts': STEP,
    'train_dataloader.dataset': _DATA,
    'train_dataloader.sampler': _ORDER, 'train_dataloader.batch_sampler': _ORDER, 'train_dataloader.drop_last': _ORDER,
    'train_cfg.max_epochs': _LENGTH, 'train_cfg.max_iters': _LENGTH,
    'param_scheduler': _SCHEDULE,
    'optim_wrapper.optimizer': _OPTIMIZER, 'optim_wrapper.constructor': _OPTIMIZER,
    'optim_wrapper.paramwise_cfg': _OPTIMIZER, 'auto_scale_lr': _OPTIMIZER,
    'optim_wrapper.type': HOLDS, 'optim_wrapper.dtype': HOLDS, 'optim_wrapper.loss_scale': HOLDS,
    'optim_wrapper.clip_grad': HOLDS, 'train_dataloader.collate_fn': HOLDS, 'custom_hooks': HOLDS,
    'randomness.deterministic': HOLDS, 'randomness.diff_rank_seed': HOLDS,
    'val_dataloader.dataset': _SCORES, 'val_evaluator': _SCORES,
}
"""Keys outside the model that change training or evaluation, with the effect of a change."""


def compare_training(old: dict[str, Any], new: dict[str, Any], meta: dict[str, Any]) -> Iterator[str]:
    """Compare the keys of ``MEANINGS`` and the type of loop in two configs.

    Args:
        old: config of the earlier run, as returned by :func:`~dmsca_mm.checkpoint.stored_config.parse`.
        new: config of this run, likewise.
        meta: ``meta`` of the checkpoint.

    Yields:
        A line for each difference.

    Raises:
        UsageError: a difference that prevents resuming.
    """
    units = ['iterations' if _at(tree, 'train_cfg.max_epochs') is None else 'epochs' for tree in (old, new)]
    if units[0] != units[1]:
        raise UsageError(f'train_cfg was a loop over {units[0]} and is one over {units[1]}')
    if _at(new, 'train_cfg.type') in _OWN_LOOPS and _at(old, 'train_cfg.type') not in _OWN_LOOPS:
        yield 'the checkpoint is from another tool: from here batches and random numbers follow other rules'
    counts = _at(old, 'optim_wrapper.accumulative_counts') or 1
    if meta.get('iter', 0) % counts:
        yield (f'the checkpoint was saved after {meta["iter"] % counts} of the {counts} iterations of an optimizer '
               'step: their gradients are lost, so the run does not continue bit for bit')
    for path, meaning in MEANINGS.items():
        for found in differences(_at(old, path), _at(new, path), path):
            if not found.path.endswith(('.skipped', '.check_label_map')):  # which LoadWholeImage adds
                _refuse(found, meta)
                yield f'{found}: {meaning}'


def _at(node: Any, path: str) -> Any:
    for key in path.split('.'):
        node = node.get(key) if isinstance(node, dict) else None
    if path == 'custom_hooks':
        return [hook for hook in node or [] if type_name(hook) not in OWN]
    return node


def _refuse(found: Difference, meta: dict[str, Any]) -> None:
    """Reject a change with which the run cannot resume."""
    path, old, new = found.path, found.old, found.new
    replaced = bool(type_name(old) or type_name(new))
    if path == 'optim_wrapper.optimizer' or path == 'param_scheduler' or (
            path.startswith('param_scheduler.') and replaced):
        raise UsageError(f'{found}, and the state in the checkpoint does not fit the new one')
    reached = {'train_cfg.max_epochs': meta.get('epoch'), 'train_cfg.max_iters': meta.get('iter')}.get(path)
    if isinstance(reached, int) and isinstance(new, (int, float)) and new <= reached:
        raise UsageError(f'{found}, and the checkpoint stands at {reached} already')
    if path.startswith('train_dataloader.') and path.endswith('classes'):
        names = [sorted(map(str, value)) if isinstance(value, list) else [] for value in (old, new)]
        if len(names[0]) != len(names[1]) or names[0] == names[1]:
            raise UsageError(f'{found}, so the labels would mean other classes')
