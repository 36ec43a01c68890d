"""The launches of a forward and of a backward, in their order: tensors in, tensors out.

A function launches one kernel, the functions for the scales one more for each four scales after the first four. X, dY
and whatever is like them have one memory format, NCHW or channels_last without gaps. Small tensors are contiguous and
fp32; gradients of parameters have the parameter's type and layout. Importing this module needs Triton.
"""
from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from ..signature import ForwardStats, Parameters
from . import gate_kernels, map_kernels, plan


class Reduced(NamedTuple):
    """What ``reduce_forward`` writes."""

    layers: Tensor  # D, (N, 2, H, W)
    dots: Tensor  # d_v and d_w, (N, 2, H, W)
    sums: Tensor  # of each strip, (N, strips, C)
    maxima: Tensor  # of each strip, (N, strips, C)


class SpatialContext(NamedTuple):
    """What A_s is made of beside D."""

    row_means: Tensor  # (N, 2, H)
    column_means: Tensor  # (N, 2, W)
    folded: Tensor  # all scales as one convolution: kernel, (2, k, k), and bias, flat


class MapGradients(NamedTuple):
    """What ``apply_backward`` writes."""

    maps: Tensor  # (N, 8, H, W): P, Q; gradients of e_u, e_w, d_v, d_w and A_s's logit; equal maxima over channels
    sums: Tensor  # (N, strips, 5, C): gradients of A_c, u (less its factor A_c), v, w; equal maxima over pixels
    bias_sums: Tensor  # (N, strips, 2): gradients of the biases of gate and activation


class GateGradients(NamedTuple):
    """What ``gates_backward`` writes beside the gradients of two biases."""

    context: Tensor  # gradient of fc2's output, (N, C)
    equals: Tensor  # pixels of a channel that equal its maximum, (N, C)
    weight_rows: Tensor  # the images' parts of the gradients of u, v and w, (N, 3, C)
    rows: Tensor  # gradient of R, (N, H)
    columns: Tensor  # gradient of K, (N, W)
    products: Tensor  # of the share of B_dir, (N, H)
    totals: Tensor  # sums over rows of the gradient of A_s's logit, (N, H)
    parts: Tensor  # of the folded kernel's gradient, (N·spans, 2, k, k)


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Y and what backward keeps; five launches for up to four scales.

    Args:
        x: X, (N, C, H, W), dense.
        parameters: of the module, which ``not_covered`` accepts.
        scale: s, the upper end of A_c, A_s and α.
    """
    with torch.cuda.device_of(x):
        reduced = reduce_forward(x, parameters)
        pooled, spatial_max, context = pools_means_fold(reduced, parameters)
        hidden, spatial = hidden_spatial(pooled, reduced.layers, context, parameters, scale)
        channel = channel_gate(hidden, parameters, scale)
        y = apply(x, channel, spatial, reduced.dots, parameters, scale)
    return y, ForwardStats(pooled, spatial_max, hidden, channel, reduced.layers)


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """dX and the gradients of the parameters; seven launches for up to four scales.

    Args:
        dy: dY, (N, C, H, W), in X's type and memory format.
        x, parameters, scale: as ``attend`` had them.
        stats: what it returned.
    """
    gradients = parameters.nest([torch.empty_like(tensor) for tensor in parameters.flat()])
    with torch.cuda.device_of(x):
        context = means_fold(stats.layers, parameters)
        spatial = spatial_gate(stats, context, parameters, scale)
        by_map = apply_backward(dy, x, stats, spatial, parameters, scale)
        by_gate = gates_backward(by_map, stats, context, parameters, gradients, scale)
        d_hidden, d_layers = parameters_layers_backward(by_map, by_gate, stats, context, parameters, gradients)
        d_pooled = pooled_fc1_backward(d_hidden, by_gate, stats, parameters, gradients)
        dx = input_gradient(dy, x, stats, by_map, by_gate.equals, d_pooled, d_layers, parameters)
    return dx, gradients


def reduce_forward(x: Tensor, parameters: Parameters) -> Reduced:
    """D, the fixed dot products, and the sums and maxima of strips."""
    n, c, h, w = x.shape
    strips = plan.strips(x.shape, _channels_last(x))
    reduced = Reduced(_new(x, n, 2, h, w), _new(x, n, 2, h, w), *(_new(x, n, strips.count, c) for _ in range(2)))
    map_kernels.reduce_forward[(strips.count, n)](
        x, parameters.dff_gate_weight, parameters.aa_conv_weight, *reduced, *_sizes(x), **_tile(x, strips))
    return reduced


def pools_means_fold(reduced: Reduced, parameters: Parameters) -> tuple[Tensor, Tensor, SpatialContext]:
    """avgpool(X) + maxpool(X) and maxpool(X), each (N, C), and the spatial context."""
    n, strips, c = reduced.sums.shape
    pooled, spatial_max = _new(reduced.sums, n, c), _new(reduced.sums, n, c)
    pools = reduced.sums, reduced.maxima, pooled, spatial_max
    return pooled, spatial_max, _context(reduced.layers, parameters, pools, n * plan.cdiv(c, plan.CHANNELS), strips, c)


def means_fold(layers: Tensor, parameters: Parameters) -> SpatialContext:
    """The spatial context again, for backward."""
    return _context(layers, parameters, (layers,) * 4, 0, 0, 0)


def _context(layers: Tensor, parameters: Parameters, pools: tuple[Tensor, ...], pool_programs: int, strips: int,
             channels: int) -> SpatialContext:
    n, _, h, w = layers.shape
    kernel = 2 * _largest(parameters) ** 2
    rows, columns, folded = _new(layers, n, 2, h), _new(layers, n, 2, w), _new(layers, kernel + 1)
    programs, previous = (pool_programs, *_directional_programs(2 * n, h, w)), folded
    for first in range(0, len(parameters.msce_convs_weight), plan.SLOTS):
        if first:  # nothing else is left to do
            programs, folded = (0, 0, 0), torch.empty_like(previous)
        *ends, total = accumulate((*programs, 1))
        gate_kernels.pools_means_fold[(total,)](
            *pools, layers, rows, columns, *_slots(parameters.msce_convs_weight, first),
            *_slots(parameters.msce_convs_bias, first), parameters.msce_fuse_weight, parameters.msce_fuse_bias,
            previous, folded, first, strips, channels, h, w, *ends, **_slot_sizes(parameters, first),
            LARGEST=_largest(parameters), LAST=_last(parameters), BLOCK_FOLDED=plan.power_of_2(kernel))
        previous = folded
    return SpatialContext(rows, columns, folded)


def hidden_spatial(pooled: Tensor, layers: Tensor, context: SpatialContext, parameters: Parameters,
                   scale: float) -> tuple[Tensor, Tensor]:
    """relu(fc1(pooled)), (N, h), and A_s, (N, H, W)."""
    hidden = _new(pooled, len(pooled), len(parameters.gce_fc1_bias))
    programs = _linear_programs(*pooled.shape, hidden.shape[1])
    return hidden, _spatial(pooled, hidden, layers, context, parameters, scale, programs)


def spatial_gate(stats: ForwardStats, context: SpatialContext, parameters: Parameters, scale: float) -> Tensor:
    """A_s again, for backward, (N, H, W)."""
    return _spatial(stats.pooled, stats.hidden, stats.layers, context, parameters, scale, 0)


def _spatial(pooled: Tensor, hidden: Tensor, layers: Tensor, context: SpatialContext, parameters: Parameters,
             scale: float, hidden_programs: int) -> Tensor:
    n, _, h, w = layers.shape
    spatial, tiles = _new(layers, n, h, w), _tiles(layers)
    gate_kernels.hidden_spatial[(tiles + hidden_programs,)](
        pooled, parameters.gce_fc1_weight, parameters.gce_fc1_bias, hidden, layers, *context,
        parameters.msce_fuse_weight, *_directions(parameters), spatial, n, pooled.shape[1], hidden.shape[1], h, w,
        len(parameters.msce_convs_weight), scale, tiles, **_convolutions(parameters), **_linear(*pooled.shape))
    return spatial


def channel_gate(hidden: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """A_c, (N, C)."""
    n, units = hidden.shape
    channel = _new(hidden, n, len(parameters.gce_fc2_bias))
    gate_kernels.channel_gate[(_linear_programs(n, units, channel.shape[1]),)](
        hidden, parameters.gce_fc2_weight, parameters.gce_fc2_bias, parameters.tca_log_temperature, channel, n, units,
        channel.shape[1], scale, **_linear(n, units))
    return channel


def apply(x: Tensor, channel: Tensor, spatial: Tensor, dots: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """Y."""
    held = x.shape[1] <= plan.HELD_CHANNELS
    strips = plan.held_strips(x.shape) if held else plan.strips(x.shape, _channels_last(x), x.element_size())
    y = torch.empty_like(x)
    map_kernels.apply[(strips.count, len(x))](x, y, channel, spatial, dots, *_rows(parameters), scale, *_sizes(x),
                                              HELD=held, **_tile(x, strips))
    return y


def apply_backward(dy: Tensor, x: Tensor, stats: ForwardStats, spatial: Tensor, parameters: Parameters,
                   scale: float) -> MapGradients:
    """Back through Y and the blend."""
    n, c, h, w = x.shape
    strips = plan.strips(x.shape, _channels_last(x), 2 * x.element_size())
    by_map = MapGradients(_new(x, n, 8, h, w), _new(x, n, strips.count, 5, c), _new(x, n, strips.count, 2))
    map_kernels.apply_backward[(strips.count, n)](
        x, dy, stats.channel, stats.spatial_max, spatial, stats.layers, *_rows(parameters), *by_map, scale, *_sizes(x),
        **_tile(x, strips))
    return by_map


def gates_backward(by_map: MapGradients, stats: ForwardStats, context: SpatialContext, parameters: Parameters,
                   gradients: Parameters, scale: float) -> GateGradients:
    """Back through A_c, A_s and B_dir; fills the gradients of the biases of dff and aa."""
    n, strips, _, c = by_map.sums.shape
    h, w = by_map.maps.shape[2:]
    largest = _largest(parameters)
    taps = plan.power_of_2(largest)
    span, block = plan.span(n, h * w, taps)
    spans = plan.cdiv(h * w, span)
    by_gate = GateGradients(*(_new(stats.layers, *shape) for shape in (
        (n, c), (n, c), (n, 3, c), (n, h), (n, w), (n, h), (n, h), (n * spans, 2, largest, largest))))
    *ends, total = accumulate((n * spans, n * plan.cdiv(c, plan.CHANNELS), *_directional_programs(n, h, w), 1))
    gate_kernels.gates_backward[(total,)](
        by_map.maps, by_map.sums, by_map.bias_sums, stats.channel, stats.layers, context.row_means,
        context.column_means, parameters.tca_log_temperature, parameters.msce_fuse_weight, *_directions(parameters),
        *by_gate, gradients.dff_gate_bias, gradients.aa_conv_bias, n, strips, c, h, w, span,
        len(parameters.msce_convs_weight), scale, *ends, **_convolutions(parameters), TAPS=taps, BLOCK_P=block)
    return by_gate


def parameters_layers_backward(by_map: MapGradients, by_gate: GateGradients, stats: ForwardStats,
                               context: SpatialContext, parameters: Parameters,
                               gradients: Parameters) -> tuple[Tensor, Tensor]:
    """Gradients of fc1's output, (N, h), and of D, (N, 2, H, W); fills those of fc2, dff, msce, dii and aa."""
    n, c = by_gate.context.shape
    units, scales = stats.hidden.shape[1], len(parameters.msce_convs_weight)
    h, w = stats.layers.shape[2:]
    d_hidden, d_layers = torch.empty_like(stats.hidden), torch.empty_like(stats.layers)
    kernel = plan.power_of_2(2 * _largest(parameters) ** 2)
    programs = (_tiles(stats.layers), _linear_programs(n, c, units), _outer_programs(c, units),
                3 * plan.cdiv(c, plan.LINE), 1, 1, 1)
    for first in range(0, scales, plan.SLOTS):
        if first:  # nothing else is left to do
            programs = (0,) * len(programs)
        *ends, total = accumulate((*programs, min(plan.SLOTS, scales - first)))
        gate_kernels.parameters_layers_backward[(total,)](
            by_map.maps, *by_gate, *context, stats.hidden, d_hidden, d_layers, parameters.gce_fc2_weight,
            gradients.gce_fc2_weight, gradients.gce_fc2_bias, gradients.dff_gate_weight, gradients.aa_conv_weight,
            *(tensor for kind in (parameters, gradients) for tensor in (
                *_slots(kind.msce_convs_weight, first), *_slots(kind.msce_convs_bias, first), kind.msce_fuse_weight)),
            gradients.msce_fuse_bias, parameters.dii_conv_h_weight, parameters.dii_conv_w_weight,
            *_directions(gradients), n, c, units, h, w, len(by_gate.parts), first, scales, *ends,
            **_slot_sizes(parameters, first), **_convolutions(parameters), **_linear(n, c), BLOCK_FOLDED=kernel,
            BLOCK_PARTS=max(plan.PARTS_TILE // kernel, 1),
            BLOCK_DIRECTION=plan.power_of_2(2 * parameters.dii_conv_h_weight.shape[2]))
    return d_hidden, d_layers


def pooled_fc1_backward(d_hidden: Tensor, by_gate: GateGradients, stats: ForwardStats, parameters: Parameters,
                        gradients: Parameters) -> Tensor:
    """Gradient of pooled, (N, C); fills those of fc1 and τ."""
    (n, units), c = d_hidden.shape, stats.pooled.shape[1]
    d_pooled = torch.empty_like(stats.pooled)
    *ends, total = accumulate((_linear_programs(n, units, c), _outer_programs(units, c), 1))
    gate_kernels.pooled_fc1_backward[(total,)](
        d_hidden, by_gate.context, stats.pooled, stats.hidden, parameters.gce_fc1_weight, parameters.gce_fc2_bias,
        parameters.tca_log_temperature, d_pooled, gradients.gce_fc1_weight, gradients.gce_fc1_bias,
        gradients.tca_log_temperature, n, c, units, *ends, **_linear(n, units))
    return d_pooled


def input_gradient(dy: Tensor, x: Tensor, stats: ForwardStats, by_map: MapGradients, equals: Tensor, d_pooled: Tensor,
                   d_layers: Tensor, parameters: Parameters) -> Tensor:
    """dX."""
    strips = plan.strips(x.shape, _channels_last(x))
    dx = torch.empty_like(x)
    map_kernels.input_gradient[(strips.count, len(x))](
        x, dy, dx, stats.channel, stats.spatial_max, equals, d_pooled, stats.layers, d_layers, by_map.maps,
        parameters.dff_gate_weight, parameters.aa_conv_weight, *_sizes(x), **_tile(x, strips))
    return dx


def _new(like: Tensor, *shape: int) -> Tensor:
    return like.new_empty(shape, dtype=torch.float32)


def _channels_last(x: Tensor) -> bool:
    return not x.is_contiguous()


def _sizes(x: Tensor) -> tuple[int, int]:
    """Channels, and groups of pixels."""
    pixels = x.shape[2] * x.shape[3]
    return x.shape[1], pixels // plan.group(pixels)


def _tile(x: Tensor, strips: plan.Strips) -> dict[str, int]:
    return dict(GROUP=plan.group(x.shape[2] * x.shape[3]), CHANNELS_LAST=_channels_last(x), BLOCK_C=strips.channels,
                BLOCK_P=strips.pixels, num_warps=strips.warps)


def _rows(parameters: Parameters) -> tuple[Tensor, ...]:
    return (parameters.dff_gate_weight, parameters.dff_gate_bias, parameters.aa_conv_weight, parameters.aa_conv_bias)


def _directions(parameters: Parameters) -> tuple[Tensor, ...]:
    return (parameters.dii_conv_h_weight, parameters.dii_conv_h_bias, parameters.dii_conv_w_weight,
            parameters.dii_conv_w_bias)


def _slots(tensors: list[Tensor], first: int) -> list[Tensor]:
    """The scales' tensors from the first on, one for each slot; a slot without a scale gets one that is not used."""
    found = tensors[first:first + plan.SLOTS]
    return found + [tensors[0]] * (plan.SLOTS - len(found))


def _slot_sizes(parameters: Parameters, first: int) -> dict[str, int]:
    sizes = [weight.shape[2] for weight in parameters.msce_convs_weight[first:first + plan.SLOTS]]
    return {f'SIZE_{slot}': size for slot, size in enumerate(sizes + [0] * (plan.SLOTS - len(sizes)))}


def _largest(parameters: Parameters) -> int:
    return max(weight.shape[2] for weight in parameters.msce_convs_weight)


def _last(parameters: Parameters) -> bool:
    """Whether the convolutions' weights are channels_last."""
    return not all(weight.is_contiguous() for weight in (
        *parameters.msce_convs_weight, parameters.dii_conv_h_weight, parameters.dii_conv_w_weight))


def _convolutions(parameters: Parameters) -> dict[str, int]:
    return dict(LARGEST=_largest(parameters), DIRECTION=parameters.dii_conv_h_weight.shape[2], LAST=_last(parameters))


def _tiles(layers: Tensor) -> int:
    """Programs that convolve D."""
    n, _, h, w = layers.shape
    return n * plan.cdiv(h, plan.TILE_Y) * plan.cdiv(w, plan.TILE_X)


def _directional_programs(maps: int, height: int, width: int) -> tuple[int, int]:
    """Programs that sum rows, and that sum columns."""
    return maps * plan.cdiv(height, plan.ACROSS), maps * plan.cdiv(width, plan.LINE)


def _linear(images: int, inputs: int) -> dict[str, int]:
    return dict(zip(('BLOCK_N', 'BLOCK_O', 'BLOCK_I'), plan.linear(images, inputs), strict=True))


def _linear_programs(images: int, inputs: int, outputs: int) -> int:
    """Programs of a fully connected layer."""
    images_at_once, outputs_at_once, _ = plan.linear(images, inputs)
    return plan.cdiv(images, images_at_once) * plan.cdiv(outputs, outputs_at_once)


def _outer_programs(outputs: int, inputs: int) -> int:
    """Programs of a fully connected layer's weight gradient."""
    return plan.cdiv(outputs, plan.OUTPUTS) * plan.cdiv(inputs, plan.INPUTS)
