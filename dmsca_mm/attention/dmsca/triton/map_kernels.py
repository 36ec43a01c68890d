"""Forward passes over the feature map: ``reduce_forward`` and ``apply``.

``reduce_forward`` reads X once. ``apply`` reads it twice, or once if it holds a strip in registers, and writes Y. A
program processes all channels of a strip of pixels of one map, tile by tile. Sums over channels stay on chip; sums over
pixels are written once for each strip and added up by ``gate_kernels.py``. Exactly one program writes each element of
an output. All sums are fp32.

X is NCHW or channels_last. ``channels`` is C; ``pixels``, H·W, is passed as ``groups`` of GROUP pixels, a power of two:
from GROUP the compiler knows the alignment of rows and vectorizes loads. Importing this module needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .element_kernels import scalar, sigmoid, vector, with_nan

STAGES = tl.constexpr(3)
"""Tiles in the software pipeline: the next ones are loaded into shared memory while one is processed. Plain loads
would wait for the stores of the previous tile, as the compiler cannot exclude that both access the same memory."""


@triton.jit
def tile(c, p, channels, pixels, CHANNELS_LAST: tl.constexpr):
    """Return the offsets of a tile within its map and the mask of valid ones, each (BLOCK_C, BLOCK_P)."""
    inside = (c < channels)[:, None] & (p < pixels)[None, :]
    if CHANNELS_LAST:
        return c[:, None] + p[None, :] * channels, inside
    else:
        return c[:, None] * pixels + p[None, :], inside


@triton.jit
def blend(e_u, e_w, d_v, d_w, spatial, gate_bias_ptr, activation_bias_ptr, scale):
    """G, (1 − G)·A_s and α, each (BLOCK_P,)."""
    gate = sigmoid(e_u + spatial * d_v + scalar(gate_bias_ptr))
    rest = (1 - gate) * spatial  # if A_c = A_s = 1, G + rest is exactly 1 for every G: identity
    return gate, rest, scale * sigmoid(gate * e_w + rest * d_w + scalar(activation_bias_ptr))


@triton.jit
def reduce_forward(x_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
                   gate_weight_ptr,  # u and v, (2, C)
                   activation_weight_ptr,  # w, (C,)
                   layers_ptr,  # (N, 2, H·W): mean and maximum over channels
                   dots_ptr,  # (N, 2, H·W): d_v and d_w
                   sums_ptr, maxima_ptr,  # (N, strips, C)
                   channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
                   BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """D, d_v and d_w; sums and maxima over the pixels of each strip."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    x_ptr += n * channels * pixels
    of_strip = (n * tl.num_programs(0) + strip) * channels
    total = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    d_v = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    d_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    largest = tl.full((BLOCK_C, BLOCK_P), float('-inf'), tl.float32)
    for first in tl.range(0, channels, BLOCK_C, num_stages=STAGES):
        c = first + tl.arange(0, BLOCK_C)
        at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        candidates = tl.where(inside, x, float('-inf'))
        total += x
        largest = tl.maximum(largest, candidates)
        d_v += x * vector(gate_weight_ptr + channels, c, channels)[:, None]
        d_w += x * vector(activation_weight_ptr, c, channels)[:, None]
        tl.store(sums_ptr + of_strip + c, tl.sum(x, 1), c < channels)
        tl.store(maxima_ptr + of_strip + c, tl.max(candidates, 1), c < channels)
    of_map = n * 2 * pixels + p
    by_pixel = tl.sum(total, 0)
    tl.store(layers_ptr + of_map, by_pixel / channels, p < pixels)
    tl.store(layers_ptr + of_map + pixels, with_nan(tl.max(largest, 0), by_pixel), p < pixels)
    tl.store(dots_ptr + of_map, tl.sum(d_v, 0), p < pixels)
    tl.store(dots_ptr + of_map + pixels, tl.sum(d_w, 0), p < pixels)


@triton.jit
def apply(x_ptr, y_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
          channel_ptr,  # A_c, (N, C)
          spatial_ptr,  # A_s, (N, H·W)
          dots_ptr,  # (N, 2, H·W): d_v and d_w
          gate_weight_ptr,  # u and v, (2, C)
          gate_bias_ptr,  # (1,)
          activation_weight_ptr,  # w, (C,)
          activation_bias_ptr,  # (1,)
          scale, channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
          HELD: tl.constexpr,  # a tile has all channels: X is read once
          BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """e_u and e_w, the blend, and Y."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    x_ptr += n * channels * pixels
    y_ptr += n * channels * pixels
    channel_ptr += n * channels
    dots_ptr += n * 2 * pixels
    spatial = vector(spatial_ptr + n * pixels, p, pixels)
    d_v, d_w = vector(dots_ptr, p, pixels), vector(dots_ptr + pixels, p, pixels)
    if HELD:
        c = tl.arange(0, BLOCK_C)
        at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0)  # kept in X's type: 16-bit types take half the registers
        channel = vector(channel_ptr, c, channels)
        e_u = tl.sum(x.to(tl.float32) * (vector(gate_weight_ptr, c, channels) * channel)[:, None], 0)
        e_w = tl.sum(x.to(tl.float32) * (vector(activation_weight_ptr, c, channels) * channel)[:, None], 0)
        gate, rest, activation = blend(e_u, e_w, d_v, d_w, spatial, gate_bias_ptr, activation_bias_ptr, scale)
        factor = (activation * gate)[None, :] * channel[:, None] + (activation * rest)[None, :]
        tl.store(y_ptr + at, (x.to(tl.float32) * factor).to(y_ptr.dtype.element_ty), inside)
    else:
        sum_u = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        sum_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        for first in tl.range(0, channels, BLOCK_C, num_stages=STAGES):
            c = first + tl.arange(0, BLOCK_C)
            at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
            x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
            channel = vector(channel_ptr, c, channels)
            sum_u += x * (vector(gate_weight_ptr, c, channels) * channel)[:, None]
            sum_w += x * (vector(activation_weight_ptr, c, channels) * channel)[:, None]
        gate, rest, activation = blend(tl.sum(sum_u, 0), tl.sum(sum_w, 0), d_v, d_w, spatial, gate_bias_ptr,
                                        activation_bias_ptr, scale)
        by_channel, by_pixel = activation * gate, activation * rest
        last = (channels - 1) // BLOCK_C * BLOCK_C
        for back in tl.range(0, channels, BLOCK_C, num_stages=STAGES):
            c = last - back + tl.arange(0, BLOCK_C)  # in reverse: the last tiles are still in the cache
            at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
            x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
            factor = by_channel[None, :] * vector(channel_ptr, c, channels)[:, None] + by_pixel[None, :]
            tl.store(y_ptr + at, (x * factor).to(y_ptr.dtype.element_ty), inside)
