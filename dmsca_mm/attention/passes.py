"""The four passes over the feature map, launched: tensors in, tensors out.

X, dY and whatever is like them lie in memory as X does, NCHW or channels_last without gaps. What comes out beside them
is small and fp32.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import torch
import triton
from torch import Tensor

from . import kernels

TILE = 1024
"""Elements of a tile: eight for each thread of four warps, one load of 16-bit numbers. What is summed over channels is
summed for each of them apart and put together after the last tile."""
WIDEST, NARROWEST = 256, 32
"""Pixels of a strip. Wide ones write fewer sums; a small map gets narrow ones, to be shared by enough programs."""
PROGRAMS = 512
"""About four for each multiprocessor of a large card."""
HELD_CHANNELS = 2048
"""Up to so many channels a strip stays on chip between its dot products and its output."""


class Looked(NamedTuple):
    """What ``look`` finds, in fp32.

    Attributes:
        pooled, top: avgpool(X) + maxpool(X) and maxpool(X), (N, C, 1, 1).
        layers: D, mean and maximum over channels, (N, 2, H, W).
        dots: d_v and d_w, (N, 2, H, W).
    """

    pooled: Tensor
    top: Tensor
    layers: Tensor
    dots: Tensor


class Passed(NamedTuple):
    """What ``apply_backward`` finds, in fp32; the input gradient needs ``maps`` and ``top_equals`` again.

    Attributes:
        maps: (N, 8, H, W); the seventh is the gradient of A_s.
        channel: gradient of A_c, (N, C, 1, 1).
        u, v, w: gradients of the rows, (C,).
        gate_bias, activation_bias: gradients, (1,).
        top_equals: how many pixels of a channel equal its maximum, (N, C).
    """

    maps: Tensor
    channel: Tensor
    u: Tensor
    v: Tensor
    w: Tensor
    gate_bias: Tensor
    activation_bias: Tensor
    top_equals: Tensor


def look(x: Tensor, v: Tensor, w: Tensor) -> Looked:
    """The first pass: pools, the two-layer map and the fixed dot products."""
    n, c, h, width = x.shape
    grid, sizes, blocks = _plan(x)
    layers, dots = (x.new_empty((n, 2, h, width), dtype=torch.float32) for _ in range(2))
    sums, tops = (x.new_empty((n, grid[0], c), dtype=torch.float32) for _ in range(2))
    with torch.cuda.device_of(x):
        kernels.look[grid](x, v, w, layers, dots, sums, tops, *sizes, **blocks)
    top = tops.amax(1)
    return Looked((sums.sum(1) / (h * width) + top)[:, :, None, None], top[:, :, None, None], layers, dots)


def apply(x: Tensor, channel: Tensor, spatial: Tensor, dots: Tensor, u: Tensor, w: Tensor, gate_bias: Tensor,
          activation_bias: Tensor, scale: float) -> Tensor:
    """The second pass: Y."""
    n, c, h, width = x.shape
    y = torch.empty_like(x)
    (_, sizes, blocks), held = _plan(x), c <= HELD_CHANNELS
    if held:
        block = triton.next_power_of_2(c)
        strip = max(min(8 * TILE // block, WIDEST), 16)
        blocks.update(BLOCK_C=block, BLOCK_P=strip, num_warps=max(4, min(block * strip // 2048, 16)))
    with torch.cuda.device_of(x):
        kernels.apply[(triton.cdiv(h * width, blocks['BLOCK_P']), n)](
            x, y, channel.contiguous(), spatial.contiguous(), dots, u, w, gate_bias, activation_bias, scale, *sizes,
            HELD=held, **blocks)
    return y


def apply_backward(x: Tensor, dy: Tensor, top: Tensor, layers: Tensor, channel: Tensor, spatial: Tensor, u: Tensor,
                   v: Tensor, w: Tensor, gate_bias: Tensor, activation_bias: Tensor, scale: float) -> Passed:
    """The third pass: gradients of everything small but the pools; dY lies in memory as X does."""
    n, c, h, width = x.shape
    grid, sizes, blocks = _plan(x)
    maps = x.new_empty((n, 8, h, width), dtype=torch.float32)
    sums = x.new_empty((n, grid[0], 6, c), dtype=torch.float32)
    biases = x.new_empty((n, grid[0], 2), dtype=torch.float32)
    with torch.cuda.device_of(x):
        kernels.apply_backward[grid](x, dy, channel.contiguous(), top, spatial.contiguous(), layers, u, v, w,
                              gate_bias, activation_bias, maps, sums, biases, scale, *sizes, **blocks)
    direct, e_u, e_w, d_v, d_w, top_equals = sums.sum(1).unbind(1)
    gate, activation = biases.sum((0, 1)).split(1)
    a_c = channel.flatten(1).float()
    return Passed(maps, (direct + u * e_u + w * e_w)[:, :, None, None], (a_c * e_u).sum(0), d_v.sum(0),
                  (a_c * e_w + d_w).sum(0), gate, activation, top_equals.contiguous())


def input_gradient(x: Tensor, dy: Tensor, top: Tensor, layers: Tensor, passed: Passed, channel: Tensor,
                   d_pooled: Tensor, d_layers: Tensor, u: Tensor, v: Tensor, w: Tensor) -> Tensor:
    """The fourth pass: dX."""
    grid, sizes, blocks = _plan(x)
    dx = torch.empty_like(x)
    with torch.cuda.device_of(x):
        kernels.input_gradient[grid](x, dy, dx, channel.contiguous(), top, passed.top_equals, d_pooled.contiguous(),
                                     layers, d_layers.contiguous(), passed.maps, u, v, w, *sizes, **blocks)
    return dx


def _plan(x: Tensor) -> tuple[tuple[int, int], tuple[int, int], dict[str, int]]:
    """The grid (strips of pixels, maps), the sizes that every kernel takes, and its layout and tile."""
    n, c, h, width = x.shape
    pixels, last = h * width, not x.is_contiguous()
    strip = NARROWEST * 2 if last else WIDEST  # where channels lie together, more of them
    while strip > NARROWEST and n * triton.cdiv(pixels, strip) < PROGRAMS:
        strip //= 2
    group = math.gcd(pixels, 16)
    block = min(TILE // strip, triton.next_power_of_2(c))
    return ((triton.cdiv(pixels, strip), n), (c, pixels // group),
            dict(GROUP=group, CHANNELS_LAST=last, BLOCK_C=block, BLOCK_P=strip))
