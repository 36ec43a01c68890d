"""Formulas of one number or one vector that several kernels share. Importing this module needs Triton."""
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def sigmoid(value):
    """The logistic function; the division is rounded correctly, so that σ(0) is exactly 1/2 and identity holds."""
    return tl.div_rn(1.0, 1.0 + tl.exp(-value))


@triton.jit
def sigmoid_slope(value, scale):
    """The derivative of ``scale·σ`` where it has this value."""
    return value * (1 - value / scale)


@triton.jit
def vector(ptr, index, count):
    """Entries ``index`` of a vector with ``count`` of them, in fp32; 0 beyond."""
    return tl.load(ptr + index, index < count, other=0.0).to(tl.float32)


@triton.jit
def scalar(ptr):
    """A parameter with one entry, in fp32."""
    return tl.load(ptr).to(tl.float32)


@triton.jit
def with_nan(maximum, total):
    """A maximum that is NaN where a summand of ``total`` is, as that of amax is; tl.max drops NaN.

    The sum of +Inf and −Inf is NaN too, but then so is the mean, which every maximum here is added to or convolved
    with.
    """
    return tl.where(total == total, maximum, total)
