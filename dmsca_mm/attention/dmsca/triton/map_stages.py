"""The four passes over the feature map. Each maps tensors to tensors, in one launch.

X, dY, Y and dX have one memory format, NCHW or channels_last without gaps. Small tensors are contiguous and fp32.
Importing this module needs Triton.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..signature import ForwardStats, Parameters
from . import map_gradient_kernels, map_kernels, plan
from .launcher import launch, new


class Reduced(NamedTuple):
    """Outputs of ``reduce_forward``."""

    layers: Tensor  # D, (N, 2, H, W)
    dots: Tensor  # d_v and d_w, (N, 2, H, W)
    sums: Tensor  # of each strip, (N, strips, C)
    maxima: Tensor  # of each strip, (N, strips, C)


class MapGradients(NamedTuple):
    """Outputs of ``apply_backward``."""

    maps: Tensor  # (N, 8, H, W): P, Q; gradients of e_u, e_w, d_v, d_w and A_s's logit; equal maxima over channels
    sums: Tensor  # (N, strips, 5, C): gradients of A_c, u (without its factor A_c), v, w; equal maxima over pixels
    bias_sums: Tensor  # (N, strips, 2): gradients of the biases of dff and aa


def reduce_forward(x: Tensor, parameters: Parameters) -> Reduced:
    """Compute D, the dot products d_v and d_w, and the sums and maxima of strips."""
    n, c, h, w = x.shape
    strips = plan.strips(x.shape, _channels_last(x), _tile_elements(x))
    reduced = Reduced(new(x, n, 2, h, w), new(x, n, 2, h, w), *(new(x, n, strips.count, c) for _ in range(2)))
    launch(map_kernels.reduce_forward, (strips.count, n), x, parameters.dff_gate_weight, parameters.aa_conv_weight,
           *reduced, *_sizes(x), **_tile(x, strips))
    return reduced


def apply(x: Tensor, channel: Tensor, spatial: Tensor, dots: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """Compute Y from X, A_c, (N, C), A_s, (N, H, W), and the dot products d_v and d_w."""
    held = x.shape[1] <= plan.HELD_CHANNELS
    strips = (plan.held_strips(x.shape) if held else
              plan.strips(x.shape, _channels_last(x), _tile_elements(x), x.element_size()))
    y = torch.empty_like(x)
    launch(map_kernels.apply, (strips.count, len(x)), x, y, channel, spatial, dots, *_blend(parameters), scale,
           *_sizes(x), HELD=held, **_tile(x, strips))
    return y


def apply_backward(dy: Tensor, x: Tensor, stats: ForwardStats, spatial: Tensor, parameters: Parameters,
                   scale: float) -> MapGradients:
    """Backpropagate through Y and the blend."""
    n, c, h, w = x.shape
    strips = plan.summed_strips(x.shape, _channels_last(x), x.element_size())
    by_map = MapGradients(new(x, n, 8, h, w), new(x, n, strips.count, 5, c), new(x, n, strips.count, 2))
    launch(map_gradient_kernels.apply_backward, (strips.count, n), x, dy, stats.channel, stats.spatial_max, spatial,
           stats.layers, *_blend(parameters), *by_map, scale, *_sizes(x), **_tile(x, strips))
    return by_map


def input_gradient(dy: Tensor, x: Tensor, stats: ForwardStats, maps: Tensor, equals: Tensor, d_pooled: Tensor,
                   d_layers: Tensor, parameters: Parameters) -> Tensor:
    """Compute dX.

    Args:
        dy, x, stats, parameters: the arguments of ``apply_backward``.
        maps: the ``maps`` that it returned.
        equals: number of pixels of a channel that equal its maximum, (N, C).
        d_pooled, d_layers: gradients of pooled, (N, C), and of D, (N, 2, H, W).
    """
    strips, channels = plan.chunks(x.shape, _channels_last(x), _tile_elements(x))
    dx = torch.empty_like(x)
    grid = strips.count, len(x), plan.cdiv(x.shape[1], channels)
    launch(map_gradient_kernels.input_gradient, grid, x, dy, dx, stats.channel, stats.spatial_max, equals, d_pooled,
           stats.layers, d_layers, maps, parameters.dff_gate_weight, parameters.aa_conv_weight, *_sizes(x), channels,
           **_tile(x, strips))
    return dx


def _channels_last(x: Tensor) -> bool:
    return not x.is_contiguous()


def _tile_elements(x: Tensor) -> int:
    return plan.TILE_BYTES // x.element_size()


def _sizes(x: Tensor) -> tuple[int, int]:
    """Return the number of channels and of groups of pixels."""
    pixels = x.shape[2] * x.shape[3]
    return x.shape[1], pixels // plan.group(pixels)


def _tile(x: Tensor, strips: plan.Strips) -> dict[str, int]:
    return dict(GROUP=plan.group(x.shape[2] * x.shape[3]), CHANNELS_LAST=_channels_last(x), BLOCK_C=strips.channels,
                BLOCK_P=strips.pixels, num_warps=strips.warps)


def _blend(parameters: Parameters) -> tuple[Tensor, ...]:
    """Return the parameters of dff and aa."""
    return (parameters.dff_gate_weight, parameters.dff_gate_bias, parameters.aa_conv_weight, parameters.aa_conv_bias)
