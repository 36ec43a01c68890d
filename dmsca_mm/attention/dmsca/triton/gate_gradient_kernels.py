"""Backward kernels between the passes over the map, organized as in ``gate_kernels.py``. Needs Triton."""
from __future__ import annotations

import triton.language as tl

from . import plan
from .channel_gradient_kernels import (
    bias_gradients,
    context_gradient,
    hidden_gradient,
    linear_gradient,
    pooled_gradient,
    row_gradient,
    temperature_gradient,
)
from .gate_kernels import ACROSS, CHANNELS, LINE, STRIPS, TILE_X, TILE_Y, jit
from .spatial_gradient_kernels import (
    direction_weight_gradient,
    directional_gradient,
    fuse_gradient,
    kernel_gradient,
    layers_gradient,
    scale_gradient,
)

OUTPUTS, INPUTS = tl.constexpr(plan.OUTPUTS), tl.constexpr(plan.INPUTS)
VECTOR = tl.constexpr(plan.VECTOR)


@jit
def gates_backward(maps_ptr, sums_ptr, bias_sums_ptr, channel_ptr, layers_ptr, row_means_ptr, column_means_ptr,
                   log_temperature_ptr, fuse_weight_ptr,
                   conv_h_weight_ptr, conv_h_bias_ptr, conv_w_weight_ptr, conv_w_bias_ptr,
                   d_context_ptr, equals_ptr, d_weight_rows_ptr, d_rows_ptr, d_columns_ptr, products_ptr, totals_ptr,
                   parts_ptr, d_gate_bias_ptr, d_activation_bias_ptr,
                   images, strips, channels, height, width, span, scales, scale, end_a, end_b, end_c, end_d,
                   LARGEST: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                   TAPS: tl.constexpr, BLOCK_P: tl.constexpr):
    """Backpropagate through A_c, τ and B_dir; compute parts of the folded kernel's gradient and two bias gradients."""
    program, last_ptr = tl.program_id(0), fuse_weight_ptr + scales
    if program < end_a:
        kernel_gradient(program, maps_ptr, layers_ptr, parts_ptr, span, height, width, LARGEST, TAPS, BLOCK_P)
    elif program < end_b:
        context_gradient(program - end_a, sums_ptr, channel_ptr, log_temperature_ptr, d_context_ptr, equals_ptr,
                         d_weight_rows_ptr, strips, channels, scale, STRIPS, CHANNELS)
    elif program < end_c:
        directional_gradient(program - end_b, maps_ptr, row_means_ptr, column_means_ptr, conv_h_weight_ptr,
                             conv_h_bias_ptr, conv_w_weight_ptr, conv_w_bias_ptr, last_ptr, d_rows_ptr, products_ptr,
                             totals_ptr, height, width, width, 1, True, DIRECTION, LAST, ACROSS, LINE)
    elif program < end_d:
        directional_gradient(program - end_c, maps_ptr, column_means_ptr, row_means_ptr, conv_w_weight_ptr,
                             conv_w_bias_ptr, conv_h_weight_ptr, conv_h_bias_ptr, last_ptr, d_columns_ptr,
                             products_ptr, totals_ptr, width, 1, height, width, False, DIRECTION, LAST, LINE, ACROSS)
    else:
        bias_gradients(bias_sums_ptr, d_gate_bias_ptr, d_activation_bias_ptr, images * strips, VECTOR)


@jit
def parameters_layers_backward(
        maps_ptr, d_context_ptr, equals_ptr, d_weight_rows_ptr, d_rows_ptr, d_columns_ptr, products_ptr, totals_ptr,
        parts_ptr, row_means_ptr, column_means_ptr, folded_ptr, hidden_ptr, d_hidden_ptr, d_layers_ptr,
        fc2_weight_ptr, d_fc2_weight_ptr, d_fc2_bias_ptr, d_gate_weight_ptr, d_activation_weight_ptr,
        weight_0_ptr, weight_1_ptr, weight_2_ptr, weight_3_ptr, bias_0_ptr, bias_1_ptr, bias_2_ptr, bias_3_ptr,
        fuse_weight_ptr, d_weight_0_ptr, d_weight_1_ptr, d_weight_2_ptr, d_weight_3_ptr,
        d_bias_0_ptr, d_bias_1_ptr, d_bias_2_ptr, d_bias_3_ptr, d_fuse_weight_ptr, d_fuse_bias_ptr,
        conv_h_weight_ptr, conv_w_weight_ptr,
        d_conv_h_weight_ptr, d_conv_h_bias_ptr, d_conv_w_weight_ptr, d_conv_w_bias_ptr,
        images, channels, units, height, width, parts, first, scales, end_a, end_b, end_c, end_d, end_e, end_f, end_g,
        SIZE_0: tl.constexpr, SIZE_1: tl.constexpr, SIZE_2: tl.constexpr, SIZE_3: tl.constexpr,
        LARGEST: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
        BLOCK_FOLDED: tl.constexpr, BLOCK_PARTS: tl.constexpr,
        BLOCK_DIRECTION: tl.constexpr, BLOCK_LINES: tl.constexpr,
        BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Gradients of D, of fc1's output, and of all remaining parameters except fc1's and τ."""
    program, totals = tl.program_id(0), images * height
    share_ptr, d_share_ptr = fuse_weight_ptr + first, d_fuse_weight_ptr + first
    if program < end_a:
        layers_gradient(program, maps_ptr, d_rows_ptr, d_columns_ptr, folded_ptr, conv_h_weight_ptr, conv_w_weight_ptr,
                        d_layers_ptr, height, width, LARGEST, DIRECTION, LAST, TILE_Y, TILE_X)
    elif program < end_b:
        hidden_gradient(program - end_a, d_context_ptr, fc2_weight_ptr, hidden_ptr, d_hidden_ptr, images, channels,
                        units, BLOCK_N, BLOCK_O, BLOCK_I)
    elif program < end_c:
        linear_gradient(program - end_b, d_context_ptr, hidden_ptr, d_fc2_weight_ptr, d_fc2_bias_ptr, images, channels,
                        units, OUTPUTS, INPUTS)
    elif program < end_d:
        row_gradient(program - end_c, d_weight_rows_ptr, d_gate_weight_ptr, d_activation_weight_ptr, images, channels,
                     LINE)
    elif program < end_e:
        direction_weight_gradient(d_rows_ptr, row_means_ptr, d_conv_h_weight_ptr, d_conv_h_bias_ptr, images, height,
                                  DIRECTION, LAST, BLOCK_DIRECTION, BLOCK_LINES)
    elif program < end_f:
        direction_weight_gradient(d_columns_ptr, column_means_ptr, d_conv_w_weight_ptr, d_conv_w_bias_ptr, images,
                                  width, DIRECTION, LAST, BLOCK_DIRECTION, BLOCK_LINES)
    elif program < end_g:
        fuse_gradient(products_ptr, totals_ptr, d_fuse_weight_ptr + scales, d_fuse_bias_ptr, totals, VECTOR)
    elif program == end_g:
        scale_gradient(weight_0_ptr, bias_0_ptr, share_ptr, d_weight_0_ptr, d_bias_0_ptr, d_share_ptr, parts_ptr,
                       parts, totals_ptr, totals, SIZE_0, LARGEST, LAST, BLOCK_PARTS, BLOCK_FOLDED, VECTOR)
    elif program == end_g + 1:
        scale_gradient(weight_1_ptr, bias_1_ptr, share_ptr + 1, d_weight_1_ptr, d_bias_1_ptr, d_share_ptr + 1,
                       parts_ptr, parts, totals_ptr, totals, SIZE_1, LARGEST, LAST, BLOCK_PARTS, BLOCK_FOLDED, VECTOR)
    elif program == end_g + 2:
        scale_gradient(weight_2_ptr, bias_2_ptr, share_ptr + 2, d_weight_2_ptr, d_bias_2_ptr, d_share_ptr + 2,
                       parts_ptr, parts, totals_ptr, totals, SIZE_2, LARGEST, LAST, BLOCK_PARTS, BLOCK_FOLDED, VECTOR)
    else:
        scale_gradient(weight_3_ptr, bias_3_ptr, share_ptr + 3, d_weight_3_ptr, d_bias_3_ptr, d_share_ptr + 3,
                       parts_ptr, parts, totals_ptr, totals, SIZE_3, LARGEST, LAST, BLOCK_PARTS, BLOCK_FOLDED, VECTOR)


@jit
def pooled_fc1_backward(d_hidden_ptr, d_context_ptr, pooled_ptr, hidden_ptr, fc1_weight_ptr, fc2_bias_ptr,
                        log_temperature_ptr, d_pooled_ptr, d_fc1_weight_ptr, d_fc1_bias_ptr, d_log_temperature_ptr,
                        images, channels, units, end_a, end_b,
                        BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Gradients of pooled, of fc1 and of τ."""
    program = tl.program_id(0)
    if program < end_a:
        pooled_gradient(program, d_hidden_ptr, fc1_weight_ptr, d_pooled_ptr, images, units, channels, BLOCK_N, BLOCK_O,
                        BLOCK_I)
    elif program < end_b:
        linear_gradient(program - end_a, d_hidden_ptr, pooled_ptr, d_fc1_weight_ptr, d_fc1_bias_ptr, images, units,
                        channels, OUTPUTS, INPUTS)
    else:
        temperature_gradient(d_context_ptr, fc2_bias_ptr, d_hidden_ptr, hidden_ptr, log_temperature_ptr,
                             d_log_temperature_ptr, images, channels, units, VECTOR)
