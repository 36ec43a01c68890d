"""Functions of scalars and vectors that several kernels share. Importing this module needs Triton."""
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def sigmoid(value):
    """The logistic function. The division is correctly rounded, so σ(0) is exactly 1/2, which identity needs."""
    return tl.div_rn(1.0, 1.0 + tl.exp(-value))


@triton.jit
def sigmoid_slope(value, scale):
    """Return the derivative of ``scale·σ`` at the point where it equals ``value``."""
    return value * (1 - value / scale)


@triton.jit
def vector(ptr, index, count):
    """Load the entries ``index`` of a vector of length ``count``, in fp32; 0 beyond its end."""
    return tl.load(ptr + index, index < count, other=0.0).to(tl.float32)


@triton.jit
def scalar(ptr):
    """Load a parameter with one entry, in fp32."""
    return tl.load(ptr).to(tl.float32)


@triton.jit
def with_nan(maximum, total):
    """Return ``maximum``, or NaN if a summand of ``total`` is NaN, as amax does; tl.max drops NaN.

    The sum of +Inf and −Inf is NaN too. Then the mean is also NaN, and every maximum here is added to the mean or
    convolved together with it.
    """
    return tl.where(total == total, maximum, total)
