"""Forward of the channel branch, gce and tca: functions that the programs of ``gate_kernels.py`` call.

``program`` is the index of a program within one function; each writes its own block of the outputs. Small tensors are
fp32; parameters keep their type. Importing this module needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .element_kernels import scalar, sigmoid, vector, with_nan

MAX_LOG_TEMPERATURE = tl.constexpr(2.995732273553991)
"""ln 20, as ``parts.MAX_LOG_TEMPERATURE``."""


@triton.jit
def temperature(log_temperature_ptr):
    """Return τ; the clamp propagates NaN."""
    value = scalar(log_temperature_ptr)
    value = tl.where(value > MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE, value)
    return tl.exp(tl.where(value < -MAX_LOG_TEMPERATURE, -MAX_LOG_TEMPERATURE, value))


@triton.jit
def pools(program, sums_ptr, maxima_ptr,  # (N, strips, C)
          pooled_ptr, spatial_max_ptr,  # (N, C)
          strips, pixels, channels, BLOCK_S: tl.constexpr, BLOCK_C: tl.constexpr):
    """avgpool(X) + maxpool(X) and maxpool(X) from the strips of ``reduce_forward``."""
    blocks = tl.cdiv(channels, BLOCK_C)
    n, c = (program // blocks).to(tl.int64), program % blocks * BLOCK_C + tl.arange(0, BLOCK_C)
    sums_ptr += n * strips * channels
    maxima_ptr += n * strips * channels
    total = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    largest = tl.full((BLOCK_S, BLOCK_C), float('-inf'), tl.float32)
    for first in range(0, strips, BLOCK_S):
        s = first + tl.arange(0, BLOCK_S)
        inside = (s < strips)[:, None] & (c < channels)[None, :]
        at = s[:, None] * channels + c[None, :]
        total += tl.load(sums_ptr + at, inside, other=0.0)
        largest = tl.maximum(largest, tl.load(maxima_ptr + at, inside, other=float('-inf')))
    by_channel = tl.sum(total, 0)
    spatial_max = with_nan(tl.max(largest, 0), by_channel)
    tl.store(pooled_ptr + n * channels + c, by_channel / pixels + spatial_max, c < channels)
    tl.store(spatial_max_ptr + n * channels + c, spatial_max, c < channels)


@triton.jit
def linear(program, input_ptr,  # (N, inputs)
            weight_ptr,  # of output o and input i at o·output_stride + i·input_stride
            images, inputs, outputs, output_stride, input_stride,
            BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Compute a matrix product for BLOCK_N images and BLOCK_O outputs; return the values, the images and the outputs.

    Weights are read once for BLOCK_N images. tl.dot would round to TF32 or need 16 images.
    """
    blocks = tl.cdiv(outputs, BLOCK_O)
    n = program // blocks * BLOCK_N + tl.arange(0, BLOCK_N)
    o = program % blocks * BLOCK_O + tl.arange(0, BLOCK_O)
    total = tl.zeros((BLOCK_N, BLOCK_O, BLOCK_I), tl.float32)
    for first in tl.range(0, inputs, BLOCK_I, loop_unroll_factor=2):
        i = first + tl.arange(0, BLOCK_I)
        weight = tl.load(weight_ptr + o[:, None] * output_stride + i[None, :] * input_stride,
                         (o < outputs)[:, None] & (i < inputs)[None, :], other=0.0).to(tl.float32)
        value = tl.load(input_ptr + n[:, None] * inputs + i[None, :],
                        (n < images)[:, None] & (i < inputs)[None, :], other=0.0)
        total += value[:, None, :] * weight[None, :, :]
    return tl.sum(total, 2), n, o


@triton.jit
def hidden(program, pooled_ptr,  # (N, C)
           weight_ptr, bias_ptr,  # (h, C), (h,)
           hidden_ptr,  # (N, h)
           images, channels, units, BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """relu(fc1(pooled))."""
    total, n, j = linear(program, pooled_ptr, weight_ptr, images, channels, units, channels, 1, BLOCK_N, BLOCK_O,
                          BLOCK_I)
    total += vector(bias_ptr, j, units)[None, :]
    tl.store(hidden_ptr + n[:, None] * units + j[None, :], tl.where(total < 0, 0.0, total),  # keeps NaN
             (n < images)[:, None] & (j < units)[None, :])


@triton.jit
def channel(program, hidden_ptr,  # (N, h)
            weight_ptr, bias_ptr,  # (C, h), (C,)
            log_temperature_ptr, channel_ptr,  # (N, C)
            images, units, channels, scale, BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """A_c = s·σ(fc2(hidden) / τ)."""
    total, n, c = linear(program, hidden_ptr, weight_ptr, images, units, channels, units, 1, BLOCK_N, BLOCK_O,
                          BLOCK_I)
    context = total + vector(bias_ptr, c, channels)[None, :]
    tl.store(channel_ptr + n[:, None] * channels + c[None, :],
             scale * sigmoid(context / temperature(log_temperature_ptr)),
             (n < images)[:, None] & (c < channels)[None, :])
