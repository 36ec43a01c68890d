"""Log the temperature, gates and gradients of every module in mmengine's logs, next to the losses."""
from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...attention.dmsca.monitor import Watch, watching
from ...config_tree import REGISTRY, add_import


@HOOKS.register_module()
class LogAttention(Hook):
    """Write :meth:`Watch.statistics` of every ``interval``-th step to the visualizer: scalars.json, and TensorBoard.

    Other steps are unaffected. In a distributed job, rank 0 logs its own batch.

    Args:
        interval: iterations between two logged steps, at least 1.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.watch: Watch | None = None
        self.stack = ExitStack()
        self.loss_scale = 1.0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Watch the last step of an interval."""
        if runner.rank == 0 and (runner.iter + 1) % self.interval == 0:
            self.watch = self.stack.enter_context(watching(runner.model))
            if isinstance(runner.optim_wrapper, AmpOptimWrapper):
                self.loss_scale = runner.optim_wrapper.loss_scaler.get_scale()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, torch.Tensor] | None = None) -> None:
        """Log the statistics."""
        if self.watch is None:
            return
        self.stack.close()
        numbers = self.watch.statistics(self.loss_scale)
        found = {f'attention/{name.removeprefix("module.")}': value for name, value in numbers.items()}
        self.watch = None
        if found:
            runner.visualizer.add_scalars(found, step=runner.iter + 1)


def install(config: Config) -> None:
    """Log the attention statistics as often as the losses.

    Args:
        config: changed in place.
    """
    logger = (config.get('default_hooks') or {}).get('logger') or {}
    hook = dict(type=LogAttention.__name__, interval=logger.get('interval', 10))
    config.custom_hooks = [*(config.get('custom_hooks') or []), hook]
    add_import(config, REGISTRY)
