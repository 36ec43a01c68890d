"""Store the number of processes and threads in each checkpoint, so that a resumed run can compare them."""
from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class StoreProcesses(Hook):
    """Store the number of ``processes`` of the job and ``threads`` of this process in ``meta`` of every checkpoint."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Store both numbers."""
        checkpoint['meta'].update(processes=runner.world_size, threads=torch.get_num_threads())
