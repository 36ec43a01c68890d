"""The number of processes and threads that trained a checkpoint, stored in it for a resumed run to compare."""
from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class StoreProcesses(Hook):
    """Store in every checkpoint's ``meta`` the number of ``processes`` of the job, and the ``threads`` of this one."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Store both."""
        checkpoint['meta'].update(processes=runner.world_size, threads=torch.get_num_threads())
