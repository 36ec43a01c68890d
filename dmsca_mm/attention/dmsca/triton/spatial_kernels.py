"""Forward of the spatial branch, msce and dii: functions that the programs of ``gate_kernels.py`` call.

The scales and their fusion are linear. They are folded into one convolution kernel of the largest scale's size,
LARGEST. ``program`` is the index of a program within one function; each writes its own block of the outputs.
Parameters keep their type and layout, channels_last if LAST. Everything else is fp32. Importing this module needs
Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .element_kernels import scalar, sigmoid


@triton.jit
def entry(layer, tap, taps, LAST: tl.constexpr):
    """Return an offset in the weight of a convolution from D's two layers to one map, with ``taps`` for each layer."""
    if LAST:
        return tap * 2 + layer
    else:
        return layer * taps + tap


@triton.jit
def means(program, layers_ptr,  # D, (N, 2, H·W)
          means_ptr,  # (N, 2, count)
          count, stride, others, other_stride, BLOCK: tl.constexpr, BLOCK_OTHERS: tl.constexpr):
    """Means of D over the columns of each row (count = H, others = W), or over the rows of each column."""
    blocks = tl.cdiv(count, BLOCK)
    layer, i = (program // blocks).to(tl.int64), program % blocks * BLOCK + tl.arange(0, BLOCK)
    layers_ptr += layer * count * others
    total = tl.zeros((BLOCK, BLOCK_OTHERS), tl.float32)
    for first in range(0, others, BLOCK_OTHERS):
        j = first + tl.arange(0, BLOCK_OTHERS)
        total += tl.load(layers_ptr + i[:, None] * stride + j[None, :] * other_stride,
                         (i < count)[:, None] & (j < others)[None, :], other=0.0)
    tl.store(means_ptr + layer * count + i, tl.sum(total, 1) / others, i < count)


@triton.jit
def _fold_scale(kernel, bias, index, weight_ptr, bias_ptr, share_ptr, SIZE: tl.constexpr, LARGEST: tl.constexpr,
                LAST: tl.constexpr):
    """Add one scale to the folded kernel and bias; an empty slot has SIZE 0."""
    if SIZE == 0:
        return kernel, bias
    else:
        border: tl.constexpr = (LARGEST - SIZE) // 2
        layer = index // (LARGEST * LARGEST)
        row, column = index // LARGEST % LARGEST - border, index % LARGEST - border
        inside = (layer < 2) & (row >= 0) & (row < SIZE) & (column >= 0) & (column < SIZE)
        weight = tl.load(weight_ptr + entry(layer, row * SIZE + column, SIZE * SIZE, LAST), inside, other=0.0)
        share = scalar(share_ptr)
        return kernel + share * weight.to(tl.float32), bias + share * scalar(bias_ptr)


@triton.jit
def fold(weight_0_ptr, weight_1_ptr, weight_2_ptr, weight_3_ptr, bias_0_ptr, bias_1_ptr, bias_2_ptr, bias_3_ptr,
         fuse_weight_ptr, fuse_bias_ptr,  # (m + 1,), (1,)
         previous_ptr,  # like folded_ptr, for the scales before these four
         folded_ptr,  # (2·LARGEST² + 1,): kernel, (2, LARGEST, LARGEST), and bias
         first,  # index of the first of these four scales
         SIZE_0: tl.constexpr, SIZE_1: tl.constexpr, SIZE_2: tl.constexpr, SIZE_3: tl.constexpr,
         LARGEST: tl.constexpr, LAST: tl.constexpr, BLOCK: tl.constexpr):
    """Fold up to four scales and their fusion into one convolution, added to the previous scales."""
    index = tl.arange(0, BLOCK)
    entries: tl.constexpr = 2 * LARGEST * LARGEST
    kernel, bias = tl.zeros((BLOCK,), tl.float32), scalar(fuse_bias_ptr)
    if first > 0:
        kernel = tl.load(previous_ptr + index, index < entries, other=0.0)
        bias = tl.load(previous_ptr + entries)
    share_ptr = fuse_weight_ptr + first
    kernel, bias = _fold_scale(kernel, bias, index, weight_0_ptr, bias_0_ptr, share_ptr, SIZE_0, LARGEST, LAST)
    kernel, bias = _fold_scale(kernel, bias, index, weight_1_ptr, bias_1_ptr, share_ptr + 1, SIZE_1, LARGEST, LAST)
    kernel, bias = _fold_scale(kernel, bias, index, weight_2_ptr, bias_2_ptr, share_ptr + 2, SIZE_2, LARGEST, LAST)
    kernel, bias = _fold_scale(kernel, bias, index, weight_3_ptr, bias_3_ptr, share_ptr + 3, SIZE_3, LARGEST, LAST)
    tl.store(folded_ptr + index, kernel, index < entries)
    tl.store(folded_ptr + entries, bias)


@triton.jit
def directional(means_ptr,  # (2, count), of one image
                 weight_ptr, bias_ptr, i, count, SIZE: tl.constexpr, LAST: tl.constexpr):
    """Return σ(R) of rows ``i``, or σ(K) of columns ``i``, in the shape of ``i``."""
    total = tl.zeros(i.shape, tl.float32) + scalar(bias_ptr)
    for tap in range(SIZE):
        j = i + tap - SIZE // 2
        inside = (j >= 0) & (j < count)
        for layer in tl.static_range(2):
            total += (scalar(weight_ptr + entry(layer, tap, SIZE, LAST))
                      * tl.load(means_ptr + layer * count + j, inside, other=0.0))
    return sigmoid(total)


@triton.jit
def spatial_gate(program, layers_ptr,  # D, (N, 2, H·W)
                 row_means_ptr, column_means_ptr,  # (N, 2, H), (N, 2, W)
                 folded_ptr, fuse_last_ptr,  # as ``fold`` writes it; the share of B_dir
                 conv_h_weight_ptr, conv_h_bias_ptr, conv_w_weight_ptr, conv_w_bias_ptr,
                 spatial_ptr,  # A_s, (N, H·W)
                 height, width, scale, LARGEST: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                 BLOCK_Y: tl.constexpr, BLOCK_X: tl.constexpr):
    """A_s for BLOCK_Y × BLOCK_X pixels."""
    n, y, x = program_pixels(program, height, width, BLOCK_Y, BLOCK_X)
    layers_ptr += n * 2 * height * width
    rows = directional(row_means_ptr + n * 2 * height, conv_h_weight_ptr, conv_h_bias_ptr, y, height, DIRECTION, LAST)
    columns = directional(column_means_ptr + n * 2 * width, conv_w_weight_ptr, conv_w_bias_ptr, x, width, DIRECTION,
                           LAST)
    entries: tl.constexpr = LARGEST * LARGEST
    total = scalar(fuse_last_ptr) * (rows[:, None] * columns[None, :]) + tl.load(folded_ptr + 2 * entries)
    for tap in range(entries):
        at, inside = shifted(y + tap // LARGEST - LARGEST // 2, x + tap % LARGEST - LARGEST // 2, height, width)
        for layer in tl.static_range(2):
            total += (tl.load(folded_ptr + layer * entries + tap)
                      * tl.load(layers_ptr + layer * height * width + at, inside, other=0.0))
    at, inside = shifted(y, x, height, width)
    tl.store(spatial_ptr + n * height * width + at, scale * sigmoid(total), inside)


@triton.jit
def program_pixels(program, height, width, BLOCK_Y: tl.constexpr, BLOCK_X: tl.constexpr):
    """Return the image of a program and the rows and columns of its pixels."""
    across = tl.cdiv(width, BLOCK_X)
    blocks = tl.cdiv(height, BLOCK_Y) * across
    block = program % blocks
    return ((program // blocks).to(tl.int64), block // across * BLOCK_Y + tl.arange(0, BLOCK_Y),
            block % across * BLOCK_X + tl.arange(0, BLOCK_X))


@triton.jit
def shifted(y, x, height, width):
    """Return the offsets of the pixels in rows y and columns x, and the mask of those inside the map."""
    return (y[:, None] * width + x[None, :],
            ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :])
