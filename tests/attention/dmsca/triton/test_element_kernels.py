"""The formulas that kernels share, one by one."""
import math

import torch
import triton
import triton.language as tl

from dmsca_mm.attention.dmsca.triton.element_kernels import sigmoid, sigmoid_slope, with_nan

VALUES = [0.0, -0.0, 1.5, -1.5, 20.0, -90.0, math.inf, -math.inf, math.nan]


@triton.jit
def evaluate(value_ptr, sigmoid_ptr, slope_ptr, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    value = tl.load(value_ptr + i, i < COUNT, other=0.0)
    tl.store(sigmoid_ptr + i, sigmoid(value), i < COUNT)
    tl.store(slope_ptr + i, sigmoid_slope(2 * sigmoid(value), 2), i < COUNT)


def test_sigmoid_and_its_slope(device):
    value = torch.tensor(VALUES, device=device)
    found, slope = torch.empty_like(value), torch.empty_like(value)
    evaluate[(1,)](value, found, slope, COUNT=len(value), BLOCK=16)
    expected = value.double().sigmoid()
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-38, equal_nan=True)
    assert found[:2].tolist() == [0.5, 0.5]  # identity needs it exactly
    torch.testing.assert_close(slope.double(), 2 * expected * (1 - expected), rtol=1e-5, atol=1e-7, equal_nan=True)


@triton.jit
def reduce(x_ptr, maximum_ptr, COLUMNS: tl.constexpr):
    i = tl.arange(0, 4)
    x = tl.load(x_ptr + i[:, None] * COLUMNS + tl.arange(0, COLUMNS)[None, :])
    tl.store(maximum_ptr + i, with_nan(tl.max(x, 1), tl.sum(x, 1)))


def test_maximum_passes_nan_and_infinity_on_as_amax_does(device):
    x = torch.tensor([[1.0, 3.0], [math.nan, 3.0], [-math.inf, -math.inf], [math.inf, 0.0]], device=device)
    maximum = torch.empty(4, device=device)
    reduce[(1,)](x, maximum, COLUMNS=2)
    torch.testing.assert_close(maximum, x.amax(1), equal_nan=True)
