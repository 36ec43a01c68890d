"""Backward of the spatial branch, msce and dii: functions that the programs of ``gate_gradient_kernels.py`` call.

The gradient of the folded kernel is unfolded to those of the scales. ``program`` is the index of a program within one
function; each writes its own block of the outputs. ``d_logit`` is the gradient of A_s before its σ. Gradients of
parameters have the parameters' type and layout, channels_last if LAST. Everything else is fp32. Importing this module
needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .element_kernels import scalar, sigmoid_slope, vector
from .spatial_kernels import directional, entry, program_pixels, shifted


@triton.jit
def _total(ptr, count, BLOCK: tl.constexpr):
    """Sum of a vector."""
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, count, BLOCK):
        total += vector(ptr, first + tl.arange(0, BLOCK), count)
    return tl.sum(total, 0)


@triton.jit
def _d_logit(maps_ptr, n, pixels):
    """Return the pointer to the gradient of A_s's logit of image n in the maps of apply_backward, (N, 8, H·W)."""
    return maps_ptr + (n * 8 + 6) * pixels


@triton.jit
def directional_gradient(program, maps_ptr,  # as apply_backward writes them
                         means_ptr, other_means_ptr,  # (N, 2, count), (N, 2, others)
                         weight_ptr, bias_ptr, other_weight_ptr, other_bias_ptr, fuse_last_ptr,
                         d_ptr,  # (N, count), of R or of K
                         products_ptr, totals_ptr,  # (N, H), for rows only: gradient of B_dir's share; sums of d_logit
                         count, stride, others, other_stride,
                         ROWS: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                         BLOCK: tl.constexpr, BLOCK_OTHERS: tl.constexpr):
    """Backpropagate through B_dir and σ to R, one value for each row, or to K, one for each column."""
    blocks = tl.cdiv(count, BLOCK)
    n, i = (program // blocks).to(tl.int64), program % blocks * BLOCK + tl.arange(0, BLOCK)
    d_logit_ptr = _d_logit(maps_ptr, n, count * others)
    crossed = tl.zeros((BLOCK, BLOCK_OTHERS), tl.float32)
    total = tl.zeros((BLOCK, BLOCK_OTHERS), tl.float32)
    for first in range(0, others, BLOCK_OTHERS):
        j = first + tl.arange(0, BLOCK_OTHERS)
        d_logit = tl.load(d_logit_ptr + i[:, None] * stride + j[None, :] * other_stride,
                          (i < count)[:, None] & (j < others)[None, :], other=0.0)
        crossed += d_logit * directional(other_means_ptr + n * 2 * others, other_weight_ptr, other_bias_ptr, j,
                                          others, DIRECTION, LAST)[None, :]
        total += d_logit
    own = directional(means_ptr + n * 2 * count, weight_ptr, bias_ptr, i, count, DIRECTION, LAST)
    by_own = tl.sum(crossed, 1)
    at = n * count + i
    tl.store(d_ptr + at, scalar(fuse_last_ptr) * by_own * sigmoid_slope(own, 1), i < count)
    if ROWS:
        tl.store(products_ptr + at, by_own * own, i < count)
        tl.store(totals_ptr + at, tl.sum(total, 1), i < count)


@triton.jit
def kernel_gradient(program, maps_ptr,  # as apply_backward writes them
                    layers_ptr,  # D, (N, 2, H·W)
                    parts_ptr,  # (N, spans, 2, LARGEST²)
                    span, height, width, LARGEST: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Compute the part of the folded kernel's gradient that comes from ``span`` pixels of an image."""
    pixels = height * width
    spans = tl.cdiv(pixels, span)
    n, begin = (program // spans).to(tl.int64), program % spans * span
    d_logit_ptr = _d_logit(maps_ptr, n, pixels)
    layers_ptr += n * 2 * pixels
    parts_ptr += program.to(tl.int64) * 2 * LARGEST * LARGEST
    row, column = tl.arange(0, TAPS), tl.arange(0, TAPS)  # of the kernel; LARGEST of them exist
    d_mean = tl.zeros((TAPS, TAPS), tl.float32)
    d_max = tl.zeros((TAPS, TAPS), tl.float32)
    for first in range(begin, tl.minimum(begin + span, pixels), BLOCK):
        p = first + tl.arange(0, BLOCK)
        d_logit = vector(d_logit_ptr, p, pixels)[None, :]
        x = (p % width)[None, :] + column[:, None] - LARGEST // 2
        inside_x = (p < pixels)[None, :] & (x >= 0) & (x < width)
        for taken in range(LARGEST):
            y = p // width + taken - LARGEST // 2
            inside = inside_x & ((y >= 0) & (y < height))[None, :]
            at = y[None, :] * width + x
            by_mean = tl.sum(tl.load(layers_ptr + at, inside, other=0.0) * d_logit, 1)
            by_max = tl.sum(tl.load(layers_ptr + pixels + at, inside, other=0.0) * d_logit, 1)
            d_mean += tl.where((row == taken)[:, None], by_mean[None, :], 0.0)
            d_max += tl.where((row == taken)[:, None], by_max[None, :], 0.0)
    at, inside = row[:, None] * LARGEST + column[None, :], (row < LARGEST)[:, None] & (column < LARGEST)[None, :]
    tl.store(parts_ptr + at, d_mean, inside)
    tl.store(parts_ptr + LARGEST * LARGEST + at, d_max, inside)


@triton.jit
def scale_gradient(weight_ptr, bias_ptr, share_ptr, d_weight_ptr, d_bias_ptr, d_share_ptr,
                   parts_ptr, parts,  # as ``kernel_gradient`` writes them: (parts, 2, LARGEST²)
                   totals_ptr, totals,  # sums of d_logit, as ``directional_gradient`` writes them
                   SIZE: tl.constexpr, LARGEST: tl.constexpr, LAST: tl.constexpr,
                   BLOCK: tl.constexpr, BLOCK_TAPS: tl.constexpr, BLOCK_TOTALS: tl.constexpr):
    """Gradients of one scale's weight and bias, from the folded kernel's, and of its share in the fusion."""
    if SIZE > 0:
        index = tl.arange(0, BLOCK_TAPS)
        layer, tap = index // (SIZE * SIZE), index % (SIZE * SIZE)
        border: tl.constexpr = (LARGEST - SIZE) // 2
        folded = (layer * LARGEST + tap // SIZE + border) * LARGEST + tap % SIZE + border
        total = tl.zeros((BLOCK, BLOCK_TAPS), tl.float32)
        for first in range(0, parts, BLOCK):
            part = first + tl.arange(0, BLOCK)
            total += tl.load(parts_ptr + part[:, None] * 2 * LARGEST * LARGEST + folded[None, :],
                             (part < parts)[:, None] & (layer < 2)[None, :], other=0.0)
        d_kernel, d_logit = tl.sum(total, 0), _total(totals_ptr, totals, BLOCK_TOTALS)
        at = entry(layer, tap, SIZE * SIZE, LAST)
        weight = tl.load(weight_ptr + at, layer < 2, other=0.0).to(tl.float32)
        share = scalar(share_ptr)
        tl.store(d_weight_ptr + at, (share * d_kernel).to(d_weight_ptr.dtype.element_ty), layer < 2)
        tl.store(d_bias_ptr, (share * d_logit).to(d_bias_ptr.dtype.element_ty))
        d_share = tl.sum(d_kernel * weight, 0) + d_logit * scalar(bias_ptr)
        tl.store(d_share_ptr, d_share.to(d_share_ptr.dtype.element_ty))


@triton.jit
def fuse_gradient(products_ptr, totals_ptr,  # (N·H,), as ``directional_gradient`` writes them
                  d_last_ptr, d_bias_ptr, count, BLOCK: tl.constexpr):
    """Gradients of the share of B_dir and of the fusion's bias."""
    tl.store(d_last_ptr, _total(products_ptr, count, BLOCK).to(d_last_ptr.dtype.element_ty))
    tl.store(d_bias_ptr, _total(totals_ptr, count, BLOCK).to(d_bias_ptr.dtype.element_ty))


@triton.jit
def direction_weight_gradient(d_ptr, means_ptr,  # (N, count), (N, 2, count)
                              d_weight_ptr, d_bias_ptr, images, count, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                              BLOCK_TAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Gradients of conv_h, or of conv_w."""
    index = tl.arange(0, BLOCK_TAPS)
    layer, tap = index // DIRECTION, index % DIRECTION
    d_weight = tl.zeros((BLOCK_TAPS, BLOCK), tl.float32)
    d_bias = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, images * count, BLOCK):
        at = first + tl.arange(0, BLOCK)
        d = vector(d_ptr, at, images * count)
        i = (at % count)[None, :] + tap[:, None] - DIRECTION // 2
        inside = (at < images * count)[None, :] & (layer < 2)[:, None] & (i >= 0) & (i < count)
        d_weight += d[None, :] * tl.load(means_ptr + ((at // count * 2)[None, :] + layer[:, None]) * count + i, inside,
                                         other=0.0)
        d_bias += d
    tl.store(d_weight_ptr + entry(layer, tap, DIRECTION, LAST),
             tl.sum(d_weight, 1).to(d_weight_ptr.dtype.element_ty), layer < 2)
    tl.store(d_bias_ptr, tl.sum(d_bias, 0).to(d_bias_ptr.dtype.element_ty))


@triton.jit
def _through_means(d_ptr, weight_ptr, layer: tl.constexpr, i, count, SIZE: tl.constexpr, LAST: tl.constexpr):
    """Gradient of the means of one layer: of rows ``i`` from that of R, or of columns from that of K."""
    total = tl.zeros(i.shape, tl.float32)
    for tap in range(SIZE):
        j = i + SIZE // 2 - tap
        total += (scalar(weight_ptr + entry(layer, tap, SIZE, LAST))
                  * tl.load(d_ptr + j, (j >= 0) & (j < count), other=0.0))
    return total


@triton.jit
def layers_gradient(program, maps_ptr,  # as apply_backward writes them
                    d_rows_ptr, d_columns_ptr,  # of R and K, (N, H), (N, W)
                    folded_ptr, conv_h_weight_ptr, conv_w_weight_ptr,
                    d_layers_ptr,  # of D, (N, 2, H·W)
                    height, width, LARGEST: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                    BLOCK_Y: tl.constexpr, BLOCK_X: tl.constexpr):
    """Gradient of D for BLOCK_Y × BLOCK_X pixels: through the folded convolution and through both means."""
    n, y, x = program_pixels(program, height, width, BLOCK_Y, BLOCK_X)
    d_logit_ptr = _d_logit(maps_ptr, n, height * width)
    d_rows_ptr += n * height
    d_columns_ptr += n * width
    entries: tl.constexpr = LARGEST * LARGEST
    d_mean = tl.zeros((BLOCK_Y, BLOCK_X), tl.float32)
    d_max = tl.zeros((BLOCK_Y, BLOCK_X), tl.float32)
    for tap in range(entries):  # at: the pixel whose logit uses this pixel through this tap
        at, inside = shifted(y + LARGEST // 2 - tap // LARGEST, x + LARGEST // 2 - tap % LARGEST, height, width)
        d_logit = tl.load(d_logit_ptr + at, inside, other=0.0)
        d_mean += tl.load(folded_ptr + tap) * d_logit
        d_max += tl.load(folded_ptr + entries + tap) * d_logit
    d_mean += (_through_means(d_rows_ptr, conv_h_weight_ptr, 0, y, height, DIRECTION, LAST) / width)[:, None]
    d_mean += (_through_means(d_columns_ptr, conv_w_weight_ptr, 0, x, width, DIRECTION, LAST) / height)[None, :]
    d_max += (_through_means(d_rows_ptr, conv_h_weight_ptr, 1, y, height, DIRECTION, LAST) / width)[:, None]
    d_max += (_through_means(d_columns_ptr, conv_w_weight_ptr, 1, x, width, DIRECTION, LAST) / height)[None, :]
    at, inside = shifted(y, x, height, width)
    d_layers_ptr += n * 2 * height * width
    tl.store(d_layers_ptr + at, d_mean, inside)
    tl.store(d_layers_ptr + height * width + at, d_max, inside)
