"""What launches have in common: their number, and that no order of their programs matters."""
import numpy as np
import pytest
import torch
from recording import SHAPES, record
from stages import Case
from torch.utils._python_dispatch import TorchDispatchMode

from dmsca_mm.attention.dmsca.triton import gate_stages, map_stages, passes

interpreted = pytest.mark.skipif(torch.cuda.is_available(), reason="needs Triton's interpreter")


class Counter(TorchDispatchMode):
    """Counts launches of kernels, without running them, and operators of PyTorch that start one."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.launches = 0
        for stages in (gate_stages, map_stages):
            monkeypatch.setattr(stages, 'launch', self.launch)

    def launch(self, *_, **__):
        self.launches += 1

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        self.launches += not operator.is_view and 'empty' not in operator.overloadpacket.__name__
        return operator(*arguments, **keywords or {})


@pytest.mark.parametrize(('kernel_sizes', 'expected'), [
    ((3, 5, 7), (5, 7)), ((1,), (5, 7)), ((1, 3, 5, 7), (5, 7)), ((1, 3, 5, 7, 9), (6, 9)), ((3,) * 9, (7, 11))])
def test_launches_of_a_block(kernel_sizes, expected, monkeypatch, device):
    case = Case((2, 32, 14, 14), device, kernel_sizes=kernel_sizes)
    with Counter(monkeypatch) as counter:
        _, stats = passes.attend(case.x, case.parameters, case.scale)
        forward = counter.launches
        passes.attend_backward(case.dy, case.x, stats, case.parameters, case.scale)
    assert (forward, counter.launches - forward) == expected


@interpreted
@pytest.mark.parametrize(('shape', 'channels_last'), SHAPES)
def test_every_element_is_stored_once_and_never_read_by_the_launch_that_stores_it(shape, channels_last):
    for launch in record(shape, channels_last):
        assert len(np.unique(launch.stored)) == len(launch.stored), launch.name
        assert not np.intersect1d(launch.stored, launch.loaded).size, launch.name


@interpreted
def test_scales_beyond_the_slots_are_stored_once_too():
    stored = [launch.stored for launch in record((1, 4, 2, 3), False, kernel_sizes=(1, 1, 1, 1, 3),
                                                 direction_kernel_size=1)]
    assert len(stored) == 15
    assert all(len(np.unique(addresses)) == len(addresses) for addresses in stored)
