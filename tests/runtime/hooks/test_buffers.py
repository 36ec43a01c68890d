"""Statistics of batch norms in a checkpoint of several processes."""
import shutil

import noisy
import pytest
import torch
from mmengine.hooks import EMAHook, SyncBuffersHook
from processes import finished, started

from dmsca_mm.runtime.hooks import buffers


def test_the_buffers_of_the_model_and_of_its_average_are_averaged_in_a_run_with_the_hook(tmp_path, monkeypatch):
    run, reduced = noisy.runner(tmp_path), []
    run.train()
    average, = (hook.ema_model for hook in run.hooks if isinstance(hook, EMAHook))
    monkeypatch.setattr(buffers, 'all_reduce_params', lambda given, op: reduced.append(([*map(id, given)], op)))
    buffers.average_buffers(run)
    assert reduced == [([*map(id, model.buffers())], 'mean') for model in (run.model, average.module)]
    run._hooks = [hook for hook in run.hooks if not isinstance(hook, SyncBuffersHook)]
    buffers.average_buffers(run)
    assert len(reduced) == 2


@pytest.mark.slow
def test_two_processes_end_the_same_when_resumed_before_a_validation(tmp_path):
    """Their batch norms have seen other images; a validation averages the statistics, and so does a checkpoint."""
    command = 'loop="SameIterLoop"', 'validate=True', 'interval=30'
    code, output = finished(started([*noisy.IN_TWO, tmp_path / 'whole', *command]))
    assert code == 0, output
    (tmp_path / 'resumed').mkdir()
    shutil.copy(tmp_path / 'whole/iter_30.pth', tmp_path / 'resumed')
    code, output = finished(started([*noisy.IN_TWO, tmp_path / 'resumed', *command]))
    assert code == 0, output
    expected, found = (noisy.outcome(tmp_path / name) for name in ('whole', 'resumed'))
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
