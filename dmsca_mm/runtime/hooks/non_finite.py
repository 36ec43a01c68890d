"""End a run with a non-finite loss or weight before a checkpoint is written."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...errors import ProcessError, UsageError

PATIENCE = 20
"""Consecutive non-finite losses that stop a mixed-precision run, whose scaler skips the step of a single one."""
MOST_NAMES = 8


@HOOKS.register_module()
class StopOnBadNumbers(Hook):
    """Stop at the first non-finite loss, and before non-finite weights are saved.

    With mixed precision the loss scaler skips such a step, and only ``PATIENCE`` bad losses in a row stop the run.

    Raises:
        UsageError: names the iteration and a weight; for a loss, a ProcessError with the losses and the images.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self.in_a_row = 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, torch.Tensor] | None = None) -> None:
        """Check the total loss of a step."""
        if outputs is None or 'loss' not in outputs or bool(torch.isfinite(outputs['loss']).all()):
            self.in_a_row = 0
            return
        self.in_a_row += 1
        losses = ', '.join(f'{name} {value.item():.4g}' for name, value in outputs.items() if 'loss' in name)
        place = f'iteration {runner.iter + 1}: {losses}; images: {", ".join(_images(data_batch)) or "unknown"}'
        if isinstance(runner.optim_wrapper, AmpOptimWrapper) and self.in_a_row < PATIENCE:
            runner.logger.warning(f'step skipped, its loss is not finite: {place}')
            return
        raise ProcessError(f'the loss is not finite: {place}. Nothing was saved since; look at these images, lower the '
                           'learning rate or clip gradients (optim_wrapper.clip_grad), then --resume')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check all weights."""
        bad = [name for name, value in checkpoint['state_dict'].items()
               if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(value.isfinite().all())]
        if bad:
            raise UsageError(f'iteration {runner.iter + 1}: {len(bad)} weights are not finite, such as {bad[0]}; they '
                             'were not saved: lower the learning rate or clip gradients (optim_wrapper.clip_grad), '
                             'then --resume')


def _images(batch: Any) -> list[str]:
    """Return the known image paths of a batch, at most ``MOST_NAMES``, and the number of others."""
    found = list(dict.fromkeys(_paths(batch)))
    return found[:MOST_NAMES] + [f'{len(found) - MOST_NAMES} more'] * (len(found) > MOST_NAMES)


def _paths(batch: Any) -> Iterator[str]:
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        for value in batch:
            yield from _paths(value)
    elif hasattr(batch, 'metainfo') and 'img_path' in batch.metainfo:
        yield batch.metainfo['img_path']
