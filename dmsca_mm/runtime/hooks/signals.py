"""On SIGTERM (which Slurm sends before it reclaims a node) or Ctrl-C, finish the iteration, save and exit."""
from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from mmengine.device import get_device
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner

from ...checkpoint.writing import INTERRUPTED, write_atomically
from ...errors import Stopped, is_first_process
from .buffers import average_buffers

DUE = 'validation_due'
"""Entry of the message hub: whether a loop over iterations was stopped where a validation comes next."""
SAME = 3
"""Seconds within which a second signal is ignored; shell and launcher both send it. A later one ends the process."""


@HOOKS.register_module()
class SaveOnSignal(Hook):
    """Save and stop after the iteration in which SIGTERM or SIGINT arrives.

    Raises:
        Stopped: with the checkpoint and how to resume.
    """

    priority = 'LOWEST'  # after averages, schedules and the regular checkpoint of the same iteration

    def __init__(self) -> None:
        self.received = 0
        self.at = 0.0
        self.before: dict[int, Any] = {}
        self.validated, self.saved = -1, 0

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers, and validate if the earlier run was stopped before it could."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.before[number] = signal.signal(number, self._receive)
        if runner.message_hub.runtime_info.pop(DUE, False) and runner.val_loop is not None:
            runner.val_loop.run()

    def after_train(self, runner: Runner) -> None:
        """Restore the previous handlers."""
        while self.before:
            signal.signal(*self.before.popitem())

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received and time.monotonic() - self.at > SAME:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not self.received:
            self.received, self.at = number, time.monotonic()
            if is_first_process():
                print(f'{signal.Signals(number).name}: saving after this iteration; a second signal after {SAME} s '
                      'ends the process at once', file=sys.stderr, flush=True)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, torch.Tensor] | None = None) -> None:
        """Stop if any process received a signal and no gradient accumulation is unfinished."""
        wrapper = runner.optim_wrapper
        wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        if self._any_received(runner) and all(each.should_update() for each in wrappers):
            runner.message_hub.update_info(DUE, _validation_is_due(runner, runner.iter + 1))
            average_buffers(runner)
            self._save(runner, dict(epoch=runner.epoch, iter=runner.iter + 1))
            if runner.distributed:
                dist.barrier()  # otherwise a process that exits early makes the launcher end the one that saves
            raise self._stopped(runner, runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """Note that no batch has been validated and when the last interruption was saved."""
        self.validated, self.saved = -1, _time_of(Path(runner.work_dir) / INTERRUPTED)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop if this process received a signal, without synchronizing: ranks may have different numbers of images.

        The first process saves. The others follow it, and not before: it may have done its images and need theirs. All
        then stop after the next iteration.
        """
        repeated = batch_idx <= self.validated  # mmpretrain's EMAHook can validate the averages, then the weights
        self.validated = max(self.validated, batch_idx)
        if self.received and not is_first_process() and self._is_saved(runner):
            raise self._stopped(runner, runner.iter)
        if self.received and is_first_process() and runner.train_loop.iter > 0:
            for hook in runner.hooks:
                if isinstance(hook, EMAHook) and getattr(hook, 'evaluate_on_ema', True) and not repeated:
                    hook._swap_ema_parameters()  # a validation has put the averages into the model
            self._save(runner, dict(epoch=runner.epoch, iter=runner.iter))
            raise self._stopped(runner, runner.iter)

    def _is_saved(self, runner: Runner) -> bool:
        """Return whether the first process has saved in this validation; never on a machine with its own folder."""
        return _time_of(Path(runner.work_dir) / INTERRUPTED) != self.saved

    def _any_received(self, runner: Runner) -> int:
        if not runner.distributed:
            return self.received
        flag = torch.tensor(self.received, device='cpu' if dist.get_backend() == 'gloo' else get_device())
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        self.received = int(flag)
        return self.received

    def _save(self, runner: Runner, position: dict[str, int]) -> None:
        for number in self.before:
            signal.signal(number, signal.SIG_IGN)
        try:
            runner.save_checkpoint(runner.work_dir, INTERRUPTED, meta=position, by_epoch=False)
            if is_first_process():
                path = Path(runner.work_dir) / INTERRUPTED
                write_atomically(str(path).encode(), path.with_name('last_checkpoint'))
        finally:
            if not runner.distributed:
                self.after_train(runner)

    def _stopped(self, runner: Runner, iteration: int) -> Stopped:
        path = Path(runner.work_dir) / INTERRUPTED
        return Stopped(f'stopped after iteration {iteration}, saved in {path}: continue with --resume', self.received)


def _time_of(path: Path) -> int:
    """Return when a file was written, in nanoseconds of its file server's clock; 0 if it does not exist."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _validation_is_due(runner: Runner, done: int) -> bool:
    """Return whether a loop over iterations validates after this many; a loop over epochs does so when it resumes."""
    loop = runner.train_loop
    return (isinstance(loop, IterBasedTrainLoop) and done >= loop.val_begin
            and (done % loop.val_interval == 0 or done == loop.max_iters))
