"""Launch counts match counts by hand, and Triton's kernels are counted without being run."""
import pytest
import torch
import triton
import triton.language as tl
from contenders import CONTENDERS
from launches import Launches, count, of_block
from torch import nn

COUNTED = {'se': (7, 10), 'eca': (5, 9), 'ca': (15, 20), 'cbam': (19, 33), 'literal': (40, 74)}
"""Operators that launch a kernel, from profiles of forward and backward."""


@pytest.mark.parametrize(('name', 'launches'), COUNTED.items())
def test_operators_of_pytorch_that_compute_are_launches(name, launches):
    assert of_block(CONTENDERS[name]) == launches


def test_kernels_of_the_fast_form_count_on_the_cpu_and_save_launches():
    fast, no_kernels = (of_block(CONTENDERS[name]) for name in ('fast', 'no-kernels'))
    assert 0 < fast.forward < no_kernels.forward
    assert 0 < fast.backward < no_kernels.backward


def test_plain_network_launches_nothing_for_its_attention():
    assert of_block(CONTENDERS['plain']) == (0, 0)


class Views(nn.Module):
    """Views, an allocation, and one copy."""

    def forward(self, x):
        torch.empty_like(x).transpose(1, 2)
        return x.flatten(1).unflatten(1, x.shape[1:]).clone()


def test_views_and_allocations_are_no_launches():
    assert count(Views(), torch.randn(2, 4, 4, 4)) == Launches(1, 0)


@triton.jit
def fill(y_ptr, BLOCK: tl.constexpr):
    tl.store(y_ptr + tl.arange(0, BLOCK), 1.0)


class Filled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.empty_like(x)
        fill[(1,)](y, BLOCK=16)
        return y

    @staticmethod
    def backward(ctx, dy):
        dx = torch.empty_like(dy)
        fill[(1,)](dx, BLOCK=16)
        fill[(1,)](dx, BLOCK=16)
        return dx


class Fill(nn.Module):
    """One kernel forward and two backward; if run, they would write out of bounds."""

    def forward(self, x):
        return Filled.apply(x)


def test_triton_kernels_are_counted_and_not_run():
    assert count(Fill(), torch.zeros(1, 1, 1, 1)) == (1, 2)


def test_gradients_from_before_do_not_count():
    attention, x = CONTENDERS['se'].operator(16), torch.randn(2, 16, 4, 4)
    attention(x).sum().backward()
    assert count(attention, x) == COUNTED['se']
    assert all(parameter.grad is None for parameter in attention.parameters())
