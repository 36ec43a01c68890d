"""The stages between the passes over the map. Each maps tensors to tensors, in one launch for up to four scales.

With more scales, ``pools_means_fold``, ``means_fold`` and ``parameters_layers_backward`` take one launch for every
four. Small tensors are contiguous and fp32; gradients of parameters have the parameter's type and layout. Importing
this module needs Triton.
"""
from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from ..signature import ForwardStats, Parameters
from . import gate_gradient_kernels, gate_kernels, plan
from .launcher import launch, new
from .map_stages import MapGradients, Reduced


class SpatialContext(NamedTuple):
    """The inputs of A_s besides D and the parameters."""

    row_means: Tensor  # (N, 2, H)
    column_means: Tensor  # (N, 2, W)
    folded: Tensor  # all scales as one convolution: kernel, (2, k, k), and bias, flat


class GateGradients(NamedTuple):
    """Outputs of ``gates_backward`` besides the gradients of two biases."""

    context: Tensor  # gradient of fc2's output, (N, C)
    equals: Tensor  # number of pixels of a channel that equal its maximum, (N, C)
    weight_rows: Tensor  # gradients of u, v and w from each image, (N, 3, C)
    rows: Tensor  # gradient of R, (N, H)
    columns: Tensor  # gradient of K, (N, W)
    products: Tensor  # gradient of the share of B_dir from each row, (N, H)
    totals: Tensor  # sums over rows of the gradient of A_s's logit, (N, H)
    parts: Tensor  # parts of the folded kernel's gradient, (N·spans, 2, k, k)


def pools_means_fold(reduced: Reduced, parameters: Parameters) -> tuple[Tensor, Tensor, SpatialContext]:
    """Compute avgpool(X) + maxpool(X) and maxpool(X), each (N, C), and the spatial context."""
    n, strips, c = reduced.sums.shape
    pooled, spatial_max = new(reduced.sums, n, c), new(reduced.sums, n, c)
    pools = reduced.sums, reduced.maxima, pooled, spatial_max
    return pooled, spatial_max, _context(reduced.layers, parameters, pools, n * plan.cdiv(c, plan.CHANNELS), strips, c)


def means_fold(layers: Tensor, parameters: Parameters) -> SpatialContext:
    """Recompute the spatial context for backward, from D, (N, 2, H, W)."""
    return _context(layers, parameters, (layers,) * 4, 0, 0, 0)  # no program accesses the pools


def _context(layers: Tensor, parameters: Parameters, pools: tuple[Tensor, ...], pool_programs: int, strips: int,
             channels: int) -> SpatialContext:
    n, _, h, w = layers.shape
    kernel = 2 * _largest(parameters) ** 2
    rows, columns, folded = new(layers, n, 2, h), new(layers, n, 2, w), new(layers, kernel + 1)
    programs, previous = (pool_programs, *plan.line_programs(2 * n, h, w)), folded
    for first in range(0, len(parameters.msce_convs_weight), plan.SLOTS):
        if first:  # only the fold remains
            programs, folded = (0, 0, 0), torch.empty_like(previous)
        *ends, total = accumulate((*programs, 1))
        launch(gate_kernels.pools_means_fold, (total,), *pools, layers, rows, columns,
               *_slots(parameters.msce_convs_weight, first), *_slots(parameters.msce_convs_bias, first),
               parameters.msce_fuse_weight, parameters.msce_fuse_bias, previous, folded, first, strips, channels, h, w,
               *ends, **_slot_sizes(parameters, first), LARGEST=_largest(parameters), LAST=_last(parameters),
               BLOCK_FOLDED=plan.power_of_2(kernel))
        previous = folded
    return SpatialContext(rows, columns, folded)


def hidden_spatial(pooled: Tensor, layers: Tensor, context: SpatialContext, parameters: Parameters,
                   scale: float) -> tuple[Tensor, Tensor]:
    """Compute relu(fc1(pooled)), (N, h), and A_s, (N, H, W)."""
    hidden = new(pooled, len(pooled), len(parameters.gce_fc1_bias))
    programs = plan.linear_programs(*pooled.shape, hidden.shape[1])
    return hidden, _spatial(pooled, hidden, layers, context, parameters, scale, programs)


def spatial_gate(stats: ForwardStats, context: SpatialContext, parameters: Parameters, scale: float) -> Tensor:
    """Recompute A_s, (N, H, W), for backward."""
    return _spatial(stats.pooled, stats.hidden, stats.layers, context, parameters, scale, 0)


def _spatial(pooled: Tensor, hidden: Tensor, layers: Tensor, context: SpatialContext, parameters: Parameters,
             scale: float, hidden_programs: int) -> Tensor:
    (n, c), (h, w) = pooled.shape, layers.shape[2:]
    spatial, tiles = new(layers, n, h, w), plan.tiles(layers.shape)
    launch(gate_kernels.hidden_spatial, (tiles + hidden_programs,), pooled, parameters.gce_fc1_weight,
           parameters.gce_fc1_bias, hidden, layers, *context, parameters.msce_fuse_weight, *_directions(parameters),
           spatial, n, c, hidden.shape[1], h, w, len(parameters.msce_convs_weight), scale, tiles,
           **_convolutions(parameters), **_linear(n, c))
    return spatial


def channel_gate(hidden: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """Compute A_c, (N, C)."""
    n, units = hidden.shape
    channel = new(hidden, n, len(parameters.gce_fc2_bias))
    launch(gate_kernels.channel_gate, (plan.linear_programs(n, units, channel.shape[1]),), hidden,
           parameters.gce_fc2_weight, parameters.gce_fc2_bias, parameters.tca_log_temperature, channel, n, units,
           channel.shape[1], scale, **_linear(n, units))
    return channel


def gates_backward(by_map: MapGradients, stats: ForwardStats, context: SpatialContext, parameters: Parameters,
                   gradients: Parameters, scale: float) -> GateGradients:
    """Backpropagate through A_c, A_s and B_dir; write the gradients of the biases of dff and aa."""
    n, strips, _, c = by_map.sums.shape
    h, w = by_map.maps.shape[2:]
    largest = _largest(parameters)
    taps = plan.power_of_2(largest)
    span, block = plan.span(n, h * w, taps)
    spans = plan.cdiv(h * w, span)
    by_gate = GateGradients(*(new(stats.layers, *shape) for shape in (
        (n, c), (n, c), (n, 3, c), (n, h), (n, w), (n, h), (n, h), (n * spans, 2, largest, largest))))
    *ends, total = accumulate((n * spans, n * plan.cdiv(c, plan.CHANNELS), *plan.line_programs(n, h, w), 1))
    launch(gate_gradient_kernels.gates_backward, (total,), *by_map, stats.channel, stats.layers, context.row_means,
           context.column_means, parameters.tca_log_temperature, parameters.msce_fuse_weight, *_directions(parameters),
           *by_gate, gradients.dff_gate_bias, gradients.aa_conv_bias, n, strips, c, h, w, span,
           len(parameters.msce_convs_weight), scale, *ends, **_convolutions(parameters), TAPS=taps, BLOCK_P=block)
    return by_gate


def parameters_layers_backward(maps: Tensor, by_gate: GateGradients, stats: ForwardStats, context: SpatialContext,
                               parameters: Parameters, gradients: Parameters) -> tuple[Tensor, Tensor]:
    """Return the gradients of fc1's output, (N, h), and D, (N, 2, H, W); write all others except fc1's and τ's."""
    (n, c), (h, w) = by_gate.context.shape, stats.layers.shape[2:]
    units, scales = stats.hidden.shape[1], len(parameters.msce_convs_weight)
    d_hidden, d_layers = torch.empty_like(stats.hidden), torch.empty_like(stats.layers)
    kernel = plan.power_of_2(2 * _largest(parameters) ** 2)
    direction = plan.power_of_2(2 * parameters.dii_conv_h_weight.shape[2])
    programs = (plan.tiles(stats.layers.shape), plan.linear_programs(n, c, units), plan.outer_programs(c, units),
                3 * plan.cdiv(c, plan.LINE), 1, 1, 1)
    for first in range(0, scales, plan.SLOTS):
        if first:  # only the scales' gradients remain
            programs = (0,) * len(programs)
        *ends, total = accumulate((*programs, min(plan.SLOTS, scales - first)))
        launch(gate_gradient_kernels.parameters_layers_backward, (total,), maps, *by_gate, *context, stats.hidden,
               d_hidden, d_layers, parameters.gce_fc2_weight, gradients.gce_fc2_weight, gradients.gce_fc2_bias,
               gradients.dff_gate_weight, gradients.aa_conv_weight,
               *_slots(parameters.msce_convs_weight, first), *_slots(parameters.msce_convs_bias, first),
               parameters.msce_fuse_weight,
               *_slots(gradients.msce_convs_weight, first), *_slots(gradients.msce_convs_bias, first),
               gradients.msce_fuse_weight, gradients.msce_fuse_bias,
               parameters.dii_conv_h_weight, parameters.dii_conv_w_weight, *_directions(gradients),
               n, c, units, h, w, len(by_gate.parts), first, scales, *ends,
               **_slot_sizes(parameters, first), **_convolutions(parameters), **_linear(n, c), BLOCK_FOLDED=kernel,
               BLOCK_PARTS=max(plan.PARTS_TILE // kernel, 1), BLOCK_DIRECTION=direction,
               BLOCK_LINES=plan.TAPS_TILE // direction)
    return d_hidden, d_layers


def pooled_fc1_backward(d_hidden: Tensor, d_context: Tensor, stats: ForwardStats, parameters: Parameters,
                        gradients: Parameters) -> Tensor:
    """Return the gradient of pooled, (N, C); write those of fc1 and τ."""
    (n, units), c = d_hidden.shape, stats.pooled.shape[1]
    d_pooled = torch.empty_like(stats.pooled)
    *ends, total = accumulate((plan.linear_programs(n, units, c), plan.outer_programs(units, c), 1))
    launch(gate_gradient_kernels.pooled_fc1_backward, (total,), d_hidden, d_context, stats.pooled, stats.hidden,
           parameters.gce_fc1_weight, parameters.gce_fc2_bias, parameters.tca_log_temperature, d_pooled,
           gradients.gce_fc1_weight, gradients.gce_fc1_bias, gradients.tca_log_temperature, n, c, units, *ends,
           **_linear(n, units))
    return d_pooled


def _directions(parameters: Parameters) -> tuple[Tensor, ...]:
    return (parameters.dii_conv_h_weight, parameters.dii_conv_h_bias, parameters.dii_conv_w_weight,
            parameters.dii_conv_w_bias)


def _slots(tensors: list[Tensor], first: int) -> list[Tensor]:
    """Return the tensors of the scales from ``first`` on, one for each slot. An empty slot gets an unused one."""
    found = list(tensors[first:first + plan.SLOTS])
    return found + [tensors[0]] * (plan.SLOTS - len(found))


def _slot_sizes(parameters: Parameters, first: int) -> dict[str, int]:
    sizes = [weight.shape[2] for weight in parameters.msce_convs_weight[first:first + plan.SLOTS]]
    return {f'SIZE_{slot}': size for slot, size in enumerate(sizes + [0] * (plan.SLOTS - len(sizes)))}


def _largest(parameters: Parameters) -> int:
    return max(weight.shape[2] for weight in parameters.msce_convs_weight)


def _last(parameters: Parameters) -> bool:
    """Return whether the convolutions' weights are channels_last."""
    return not all(weight.is_contiguous() for weight in (
        *parameters.msce_convs_weight, parameters.dii_conv_h_weight, parameters.dii_conv_w_weight))


def _convolutions(parameters: Parameters) -> dict[str, int]:
    return dict(LARGEST=_largest(parameters), DIRECTION=parameters.dii_conv_h_weight.shape[2], LAST=_last(parameters))


def _linear(images: int, inputs: int) -> dict[str, int]:
    return dict(zip(('BLOCK_N', 'BLOCK_O', 'BLOCK_I'), plan.linear(images, inputs), strict=True))
