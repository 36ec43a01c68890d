"""Forward kernels between the passes over the map. Each launch does everything that depends on earlier launches only.

The index of a program selects one function and one block: below ``end_a`` the first function, below ``end_b`` the
second, and so on. Exactly one program writes each element of an output, and no program reads an output of its own
launch. Results therefore do not depend on the order of the programs. Sums over images and strips have a fixed order.

The functions are in ``channel_kernels.py`` and ``spatial_kernels.py``. A launch takes the parameters of four scales,
in slots; an empty slot has SIZE 0 and unused pointers. Importing this module needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from . import plan
from .channel_kernels import channel, hidden, pools
from .spatial_kernels import fold, means, spatial_gate

LINE, ACROSS = tl.constexpr(plan.LINE), tl.constexpr(plan.ACROSS)
TILE_Y, TILE_X = tl.constexpr(plan.TILE_Y), tl.constexpr(plan.TILE_X)
STRIPS, CHANNELS = tl.constexpr(plan.STRIPS), tl.constexpr(plan.CHANNELS)

# Triton recompiles a kernel if an int is 1 or divisible by 16; for these arguments that would gain nothing.
SHAPES = ['images', 'height', 'width', 'strips', 'span', 'parts', 'first', 'scales',
          *(f'end_{name}' for name in 'abcdefg')]


def jit(kernel):
    """Triton's jit, without specialization for the arguments in SHAPES."""
    arguments = kernel.__code__.co_varnames[:kernel.__code__.co_argcount]
    return triton.jit(kernel, do_not_specialize=[name for name in SHAPES if name in arguments])


@jit
def pools_means_fold(sums_ptr, maxima_ptr, pooled_ptr, spatial_max_ptr,
                     layers_ptr, row_means_ptr, column_means_ptr,
                     weight_0_ptr, weight_1_ptr, weight_2_ptr, weight_3_ptr,
                     bias_0_ptr, bias_1_ptr, bias_2_ptr, bias_3_ptr, fuse_weight_ptr, fuse_bias_ptr,
                     previous_ptr, folded_ptr, first,
                     strips, channels, height, width, end_a, end_b, end_c,
                     SIZE_0: tl.constexpr, SIZE_1: tl.constexpr, SIZE_2: tl.constexpr, SIZE_3: tl.constexpr,
                     LARGEST: tl.constexpr, LAST: tl.constexpr, BLOCK_FOLDED: tl.constexpr):
    """Pools of X from their strips; means of D over rows and over columns; the folded convolution."""
    program = tl.program_id(0)
    if program < end_a:
        pools(program, sums_ptr, maxima_ptr, pooled_ptr, spatial_max_ptr, strips, height * width, channels, STRIPS,
              CHANNELS)
    elif program < end_b:
        means(program - end_a, layers_ptr, row_means_ptr, height, width, width, 1, ACROSS, LINE)
    elif program < end_c:
        means(program - end_b, layers_ptr, column_means_ptr, width, 1, height, width, LINE, ACROSS)
    else:
        fold(weight_0_ptr, weight_1_ptr, weight_2_ptr, weight_3_ptr, bias_0_ptr, bias_1_ptr, bias_2_ptr, bias_3_ptr,
             fuse_weight_ptr, fuse_bias_ptr, previous_ptr, folded_ptr, first, SIZE_0, SIZE_1, SIZE_2, SIZE_3, LARGEST,
             LAST, BLOCK_FOLDED)


@jit
def hidden_spatial(pooled_ptr, fc1_weight_ptr, fc1_bias_ptr, hidden_ptr,
                   layers_ptr, row_means_ptr, column_means_ptr, folded_ptr, fuse_weight_ptr,
                   conv_h_weight_ptr, conv_h_bias_ptr, conv_w_weight_ptr, conv_w_bias_ptr, spatial_ptr,
                   images, channels, units, height, width, scales, scale, end_a,
                   LARGEST: tl.constexpr, DIRECTION: tl.constexpr, LAST: tl.constexpr,
                   BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """A_s and relu(fc1(pooled))."""
    program = tl.program_id(0)
    if program < end_a:
        spatial_gate(program, layers_ptr, row_means_ptr, column_means_ptr, folded_ptr, fuse_weight_ptr + scales,
                     conv_h_weight_ptr, conv_h_bias_ptr, conv_w_weight_ptr, conv_w_bias_ptr, spatial_ptr, height,
                     width, scale, LARGEST, DIRECTION, LAST, TILE_Y, TILE_X)
    else:
        hidden(program - end_a, pooled_ptr, fc1_weight_ptr, fc1_bias_ptr, hidden_ptr, images, channels, units, BLOCK_N,
               BLOCK_O, BLOCK_I)


@jit
def channel_gate(hidden_ptr, fc2_weight_ptr, fc2_bias_ptr, log_temperature_ptr, channel_ptr,
                 images, units, channels, scale,
                 BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """A_c."""
    channel(tl.program_id(0), hidden_ptr, fc2_weight_ptr, fc2_bias_ptr, log_temperature_ptr, channel_ptr, images,
            units, channels, scale, BLOCK_N, BLOCK_O, BLOCK_I)
