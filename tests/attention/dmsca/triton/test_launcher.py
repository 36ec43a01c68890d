"""Properties of all launches: their number, independence of the order of their programs, and the bytes they move."""
import numpy as np
import pytest
import torch
from recording import record
from stages import SMALL, Case
from torch.utils._python_dispatch import TorchDispatchMode

from dmsca_mm.attention.dmsca.triton import gate_stages, launcher, map_stages, passes, plan
from dmsca_mm.attention.dmsca.triton.traffic import traffic


class Counter(TorchDispatchMode):
    """Counts kernel launches, without running them, and PyTorch operators that launch a kernel."""

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


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs Triton's interpreter")
@pytest.mark.parametrize(('shape', 'channels_last', 'arguments'), [
    ((2, 20, 9, 11), False, SMALL), ((1, 8, 6, 70), True, SMALL),
    ((1, 4, 2, 3), False, dict(kernel_sizes=(1, 1, 1, 1, 3), direction_kernel_size=1))])
def test_a_launch_stores_every_element_once_reads_none_of_them_and_moves_what_is_planned(
        shape, channels_last, arguments):
    launches = record(shape, channels_last, **arguments)
    for launch in launches:
        assert len(np.unique(launch.stored)) == len(launch.stored), launch.name
        assert not np.intersect1d(launch.stored, launch.loaded).size, launch.name
    if len(arguments['kernel_sizes']) <= plan.SLOTS:
        forward, backward = traffic(shape, 4, channels_last=channels_last, kernel_sizes=arguments['kernel_sizes'],
                                    direction=arguments['direction_kernel_size'])
        for planned, found in zip(forward + backward, launches, strict=True):
            assert (planned.reads, planned.writes) == (found.read_bytes, found.written_bytes), planned.launch


class Kernel:
    """Stands in for a Triton kernel and records the arguments of its compilations and launches."""
    arg_names = ('x', 'count', 'scale', 'BLOCK')

    def __init__(self):
        self.compiled, self.launched = [], []

    def __getitem__(self, grid):
        def compile_(*arguments, **options):
            self.compiled.append((grid, arguments, options))
            return Compiled(self.launched)
        return compile_


class Compiled:
    def __init__(self, launched):
        self.launched = launched

    def __getitem__(self, grid):
        return lambda *arguments: self.launched.append((grid, arguments))


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr(launcher, '_compiled', {})
    return Kernel()


def test_a_kernel_compiled_for_arguments_of_their_kind_is_launched_with_addresses_and_constants(kernel):
    x, y = torch.zeros(2, 64).unbind()
    launcher.launch(kernel, (3, 2), x, 32, 2.0, BLOCK=8, num_warps=4)
    launcher.launch(kernel, (5,), y, 48, 3.0, BLOCK=8, num_warps=4)
    assert len(kernel.compiled) == 1
    assert kernel.launched == [((5, 1, 1), (y.data_ptr(), 48, 3.0, 8))]


@pytest.mark.parametrize('changed', [
    dict(x=torch.zeros(65)[1:]), dict(x=torch.zeros(64, dtype=torch.half)), dict(count=33), dict(count=1),
    dict(BLOCK=16), dict(num_warps=8)], ids=str)
def test_what_triton_would_compile_anew_is_compiled_anew(kernel, changed):
    for options in ({}, changed):
        values = dict(dict(x=torch.zeros(64), count=32, scale=2.0, BLOCK=8, num_warps=4), **options)
        launcher.launch(kernel, (1,), *(values.pop(name) for name in ('x', 'count', 'scale')), **values)
    assert len(kernel.compiled) == 2
    assert not kernel.launched
