"""Backward passes over the feature map: ``apply_backward`` and ``input_gradient``.

X and dY are read twice and dX is written once. Memory formats and programs are as in ``map_kernels.py``. Importing
this module needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .element_kernels import sigmoid_slope, vector
from .map_kernels import STAGES, blend, tile


@triton.jit
def apply_backward(x_ptr, dy_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
                   channel_ptr, spatial_max_ptr,  # (N, C)
                   spatial_ptr,  # A_s, (N, H·W)
                   layers_ptr,  # D, (N, 2, H·W)
                   gate_weight_ptr, gate_bias_ptr, activation_weight_ptr, activation_bias_ptr,
                   maps_ptr,  # (N, 8, H·W): P, Q; gradients of e_u, e_w, d_v, d_w, A_s's logit; equal channel maxima
                   sums_ptr,  # (N, strips, 5, C): gradients of A_c, of u (without its factor A_c), v, w; equal maxima
                   bias_sums_ptr,  # (N, strips, 2): gradients of the two biases
                   scale, channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
                   BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """Backpropagate through Y and the blend to A_c, A_s, the dot products and their weights; reads a strip twice."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    x_ptr += n * channels * pixels
    dy_ptr += n * channels * pixels
    channel_ptr += n * channels
    spatial_max_ptr += n * channels
    of_strip = n * tl.num_programs(0) + strip
    spatial = vector(spatial_ptr + n * pixels, p, pixels)
    channel_max = vector(layers_ptr + (n * 2 + 1) * pixels, p, pixels)

    sum_e_u = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_e_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_d_v = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_d_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_p = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_q = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    equals = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    for first in tl.range(0, channels, BLOCK_C, num_stages=STAGES):
        c = first + tl.arange(0, BLOCK_C)
        at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        product = x * tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        channel = vector(channel_ptr, c, channels)
        w = vector(activation_weight_ptr, c, channels)
        sum_e_u += x * (vector(gate_weight_ptr, c, channels) * channel)[:, None]
        sum_e_w += x * (w * channel)[:, None]
        sum_d_v += x * vector(gate_weight_ptr + channels, c, channels)[:, None]
        sum_d_w += x * w[:, None]
        sum_p += product * channel[:, None]
        sum_q += product
        equals += tl.where(inside & (x == channel_max[None, :]), 1.0, 0.0)

    e_u, e_w, d_v, d_w = tl.sum(sum_e_u, 0), tl.sum(sum_e_w, 0), tl.sum(sum_d_v, 0), tl.sum(sum_d_w, 0)
    d_by_channel, d_by_pixel = tl.sum(sum_p, 0), tl.sum(sum_q, 0)
    gate, rest, activation = blend(e_u, e_w, d_v, d_w, spatial, gate_bias_ptr, activation_bias_ptr, scale)
    by_channel, by_pixel = activation * gate, activation * rest
    d_logit = (d_by_channel * gate + d_by_pixel * rest) * sigmoid_slope(activation, scale)
    d_rest = d_by_pixel * activation + d_logit * d_w
    d_gate = d_by_channel * activation + d_logit * e_w - d_rest * spatial
    d_e_u = d_gate * gate * (1 - gate)
    d_e_w = d_logit * gate
    d_d_v = d_e_u * spatial
    d_d_w = d_logit * rest
    d_spatial = d_rest * (1 - gate) + d_e_u * d_v
    maps_ptr += n * 8 * pixels + p
    tl.store(maps_ptr, by_channel, p < pixels)
    tl.store(maps_ptr + pixels, by_pixel, p < pixels)
    tl.store(maps_ptr + 2 * pixels, d_e_u, p < pixels)
    tl.store(maps_ptr + 3 * pixels, d_e_w, p < pixels)
    tl.store(maps_ptr + 4 * pixels, d_d_v, p < pixels)
    tl.store(maps_ptr + 5 * pixels, d_d_w, p < pixels)
    tl.store(maps_ptr + 6 * pixels, d_spatial * sigmoid_slope(spatial, scale), p < pixels)
    tl.store(maps_ptr + 7 * pixels, tl.sum(equals, 0), p < pixels)
    tl.store(bias_sums_ptr + of_strip * 2, tl.sum(tl.where(p < pixels, d_e_u, 0.0), 0))
    tl.store(bias_sums_ptr + of_strip * 2 + 1, tl.sum(tl.where(p < pixels, d_logit, 0.0), 0))

    sums_ptr += of_strip * 5 * channels
    last = (channels - 1) // BLOCK_C * BLOCK_C
    for back in tl.range(0, channels, BLOCK_C, num_stages=STAGES):
        c = last - back + tl.arange(0, BLOCK_C)  # in reverse: the last tiles are still in the cache
        at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        dy = tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        channel = vector(channel_ptr, c, channels)
        by_e_u = tl.sum(x * d_e_u[None, :], 1)
        by_e_w = tl.sum(x * d_e_w[None, :], 1)
        d_channel = (tl.sum(x * dy * by_channel[None, :], 1) + vector(gate_weight_ptr, c, channels) * by_e_u
                     + vector(activation_weight_ptr, c, channels) * by_e_w)
        at_maximum = inside & (x == vector(spatial_max_ptr, c, channels)[:, None])
        tl.store(sums_ptr + c, d_channel, c < channels)
        tl.store(sums_ptr + channels + c, by_e_u, c < channels)
        tl.store(sums_ptr + 2 * channels + c, tl.sum(x * d_d_v[None, :], 1), c < channels)
        tl.store(sums_ptr + 3 * channels + c, channel * by_e_w + tl.sum(x * d_d_w[None, :], 1), c < channels)
        tl.store(sums_ptr + 4 * channels + c, tl.sum(tl.where(at_maximum, 1.0, 0.0), 1), c < channels)


@triton.jit
def input_gradient(x_ptr, dy_ptr, dx_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
                   channel_ptr, spatial_max_ptr,  # (N, C)
                   equals_ptr,  # number of pixels at the channel's maximum, (N, C)
                   d_pooled_ptr,  # (N, C)
                   layers_ptr, d_layers_ptr,  # (N, 2, H·W)
                   maps_ptr,  # (N, 8, H·W), as apply_backward writes them
                   gate_weight_ptr, activation_weight_ptr,
                   channels, groups,
                   channels_at_once,  # channels of a program, a multiple of BLOCK_C
                   GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
                   BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """Compute dX: through Y, through the dot products and means, each of rank one, and through both maxima."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    x_ptr += n * channels * pixels
    dy_ptr += n * channels * pixels
    dx_ptr += n * channels * pixels
    maps_ptr += n * 8 * pixels
    d_layers_ptr += n * 2 * pixels
    of_map = n * channels
    by_channel = vector(maps_ptr, p, pixels)
    by_pixel = vector(maps_ptr + pixels, p, pixels)
    d_e_u = vector(maps_ptr + 2 * pixels, p, pixels)
    d_e_w = vector(maps_ptr + 3 * pixels, p, pixels)
    d_d_v = vector(maps_ptr + 4 * pixels, p, pixels)
    d_d_w = vector(maps_ptr + 5 * pixels, p, pixels)
    channel_max = vector(layers_ptr + (n * 2 + 1) * pixels, p, pixels)
    # Equal maxima share their gradient evenly, as in the backward of amax.
    to_channel_max = vector(d_layers_ptr + pixels, p, pixels) / vector(maps_ptr + 7 * pixels, p, pixels)
    to_all = vector(d_layers_ptr, p, pixels) / channels
    begin = tl.program_id(2) * channels_at_once
    for first in tl.range(begin, tl.minimum(begin + channels_at_once, channels), BLOCK_C, num_stages=STAGES):
        c = first + tl.arange(0, BLOCK_C)
        at, inside = tile(c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        dy = tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        channel = vector(channel_ptr + of_map, c, channels)
        u, v = vector(gate_weight_ptr, c, channels), vector(gate_weight_ptr + channels, c, channels)
        w = vector(activation_weight_ptr, c, channels)
        d_pooled = vector(d_pooled_ptr + of_map, c, channels)
        to_spatial_max = d_pooled / vector(equals_ptr + of_map, c, channels)
        spatial_max = vector(spatial_max_ptr + of_map, c, channels)
        dx = dy * (by_channel[None, :] * channel[:, None] + by_pixel[None, :])
        dx += (u * channel)[:, None] * d_e_u[None, :] + (w * channel)[:, None] * d_e_w[None, :]
        dx += v[:, None] * d_d_v[None, :] + w[:, None] * d_d_w[None, :]
        dx += to_all[None, :] + (d_pooled / pixels)[:, None]
        dx += tl.where(x == channel_max[None, :], to_channel_max[None, :], 0.0)
        dx += tl.where(x == spatial_max[:, None], to_spatial_max[:, None], 0.0)
        tl.store(dx_ptr + at, dx.to(dx_ptr.dtype.element_ty), inside)
