"""Iterations: as many as time allows, with the warm-up and the profiled one excluded from the times."""
from types import SimpleNamespace

import iterations
import pytest
import torch
from iterations import LEAST, BackboneAutocast
from torch import nn


@pytest.fixture
def measure(monkeypatch):
    """Run iterations of 20 ms on a mock clock, 60 ms in the warm-up and the profile; return the row."""
    clock = SimpleNamespace(now=0.0)
    read = SimpleNamespace(monotonic=lambda: clock.now, perf_counter=lambda: clock.now)
    monkeypatch.setattr(iterations, 'time', read)
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(batch_sampler=SimpleNamespace(batch_size=4)))

    def call(end=60.0, wanted=3, warm_up=2):
        hook = iterations.MeasureIterations(wanted, warm_up, end)
        for place in range(1000):
            hook.before_train_iter(runner, place)
            kept = torch.zeros(250_000)
            clock.now += 0.02 if warm_up <= place < warm_up + wanted else 0.06
            del kept
            try:
                hook.after_train_iter(runner, place)
            except iterations.Enough as enough:
                return enough.row
    return call


def test_times_are_of_the_iterations_between_the_warm_up_and_the_profile(measure):
    row = measure()
    assert row['iterations'] == 3
    assert row['iteration_ms_q1'] == row['iteration_ms'] == row['iteration_ms_q3'] == 20
    assert (row['batch'], row['processes']) == (4, 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason='counts what the CPU allocates')
def test_memory_is_the_most_that_was_allocated_in_an_iteration(measure):
    assert measure()['peak_mb'] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(('end', 'number'), [(0, LEAST), (1.3, 19), (60, 50)])
def test_fewer_iterations_are_measured_where_the_time_is_short(end, number, measure):
    """The warm-up takes 0.12 s; 1.18 s are left, in which 19.67 iterations of 60 ms fit."""
    assert measure(end=end, wanted=50)['iterations'] == number


def test_backbone_computes_in_bfloat16_and_hands_on_fp32():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.backbone(x)
    model, x = Model(), torch.randn(1, 1, 4, 4)
    plain, optimizer = model(x), torch.optim.SGD(model.parameters(), 0.1)
    with BackboneAutocast(optimizer).optim_context(model):
        (half,) = model(x)
    assert half.dtype == torch.float32
    assert not torch.equal(half, plain[0])
    assert torch.allclose(half, plain[0], rtol=2 ** -6, atol=2 ** -6)
    assert torch.equal(model(x), plain), 'the backbone is as it was'
