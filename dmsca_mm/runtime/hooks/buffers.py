"""Average a model's buffers over the processes of a job before it is saved."""
from __future__ import annotations

from mmengine.dist import all_reduce_params
from mmengine.hooks import EMAHook, SyncBuffersHook
from mmengine.runner import Runner


def average_buffers(runner: Runner) -> None:
    """Average the buffers as ``SyncBuffersHook`` does before a validation, in a run that has this hook; also EMAHook's.

    The first process alone writes a checkpoint, and a loop over iterations writes it before the validation. Its batch
    norms would have the statistics of that process, and a resumed run would go on from them in every process.

    Args:
        runner: of the run; every process must call this.
    """
    if any(isinstance(hook, SyncBuffersHook) for hook in runner.hooks):
        averages = [hook.ema_model.module for hook in runner.hooks if isinstance(hook, EMAHook)]
        for model in (runner.model, *averages):
            all_reduce_params(model.buffers(), op='mean')
