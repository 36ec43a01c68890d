"""DMSCA's four passes over the feature map as Triton kernels: two forward, two backward.

Forward reads X twice and writes Y; backward reads X and dY twice and writes dX. A program takes a strip of pixels of
one map through all channels: what is summed over channels stays on chip; what is summed over pixels is written once a
strip and added up afterwards in a fixed order, so that the same input gives the same bits. All sums are fp32. X may be
NCHW or channels_last. ``channels`` is C; ``pixels``, H·W, comes as groups of GROUP pixels, a power of two: so the
compiler knows how far rows are aligned, and loads as many numbers at once.

Importing this module needs Triton. ``passes.py`` launches the kernels.
"""
from __future__ import annotations

import triton
import triton.language as tl

UNROLL = tl.constexpr(2)
"""Tiles under way at a time."""


@triton.jit
def _offsets(n, c, p, channels, pixels, CHANNELS_LAST: tl.constexpr):
    """Where the channels and pixels of a tile of map n lie, (BLOCK_C, BLOCK_P)."""
    if CHANNELS_LAST:
        return n * channels * pixels + c[:, None] + p[None, :] * channels
    else:
        return n * channels * pixels + c[:, None] * pixels + p[None, :]


@triton.jit
def _row(ptr, c, channels):
    """One number for each channel of a tile, (BLOCK_C,)."""
    return tl.load(ptr + c, c < channels, other=0.0).to(tl.float32)


@triton.jit
def _strip(ptr, p, pixels):
    """One number for each pixel of a tile, (BLOCK_P,)."""
    return tl.load(ptr + p, p < pixels, other=0.0).to(tl.float32)


@triton.jit
def _blend(e_u, e_w, d_v, d_w, spatial, gate_bias_ptr, activation_bias_ptr):
    """G, (1 − G)·A_s and σ of the activation's logit, each (BLOCK_P,)."""
    gate = tl.sigmoid(e_u + spatial * d_v + tl.load(gate_bias_ptr).to(tl.float32))
    rest = (1 - gate) * spatial
    return gate, rest, tl.sigmoid(gate * e_w + rest * d_w + tl.load(activation_bias_ptr).to(tl.float32))


@triton.jit
def look(x_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
          v_ptr, w_ptr,  # (C,)
          layers_ptr, dots_ptr,  # (N, 2, H·W): mean and maximum over channels; d_v and d_w
          sums_ptr, tops_ptr,  # (N, strips, C)
          channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
         BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """The first look: what is pooled over pixels, a strip at a time, or over channels, and d_v and d_w."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    of_strip = (n * tl.num_programs(0) + strip) * channels
    total = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    d_v = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    d_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    peak = tl.full((BLOCK_C, BLOCK_P), float('-inf'), tl.float32)
    for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):
        c = first + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        low = tl.where(inside, x, float('-inf'))
        total += x
        peak = tl.maximum(peak, low)
        d_v += x * _row(v_ptr, c, channels)[:, None]
        d_w += x * _row(w_ptr, c, channels)[:, None]
        tl.store(sums_ptr + of_strip + c, tl.sum(x, 1), c < channels)
        tl.store(tops_ptr + of_strip + c, tl.max(low, 1), c < channels)
    of_map = n * 2 * pixels + p
    tl.store(layers_ptr + of_map, tl.sum(total, 0) / channels, p < pixels)
    tl.store(layers_ptr + of_map + pixels, tl.max(peak, 0), p < pixels)
    tl.store(dots_ptr + of_map, tl.sum(d_v, 0), p < pixels)
    tl.store(dots_ptr + of_map + pixels, tl.sum(d_w, 0), p < pixels)


@triton.jit
def apply(x_ptr, y_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
           channel_ptr,  # (N, C)
           spatial_ptr,  # (N, H·W)
           dots_ptr,  # (N, 2, H·W)
           u_ptr, w_ptr,  # (C,)
           gate_bias_ptr, activation_bias_ptr,  # (1,)
           scale, channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
          HELD: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """The second look: e_u and e_w, the blend, and Y."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    channel_ptr += n * channels
    if HELD:
        c = tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        channel = _row(channel_ptr, c, channels)
        e_u = tl.sum(x * (_row(u_ptr, c, channels) * channel)[:, None], 0)
        e_w = tl.sum(x * (_row(w_ptr, c, channels) * channel)[:, None], 0)
    else:
        sum_u = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        sum_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):
            c = first + tl.arange(0, BLOCK_C)
            inside = (c < channels)[:, None] & (p < pixels)[None, :]
            at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
            x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
            channel = _row(channel_ptr, c, channels)
            sum_u += x * (_row(u_ptr, c, channels) * channel)[:, None]
            sum_w += x * (_row(w_ptr, c, channels) * channel)[:, None]
        e_u, e_w = tl.sum(sum_u, 0), tl.sum(sum_w, 0)
    of_map = n * 2 * pixels
    gate, rest, alpha = _blend(e_u, e_w, _strip(dots_ptr + of_map, p, pixels),
                               _strip(dots_ptr + of_map + pixels, p, pixels),
                               _strip(spatial_ptr + n * pixels, p, pixels), gate_bias_ptr, activation_bias_ptr)
    by_channel, by_pixel = scale * alpha * gate, scale * alpha * rest
    if HELD:
        y = x * (by_channel[None, :] * channel[:, None] + by_pixel[None, :])
        tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), inside)
    else:
        for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):
            c = first + tl.arange(0, BLOCK_C)
            inside = (c < channels)[:, None] & (p < pixels)[None, :]
            at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
            x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
            y = x * (by_channel[None, :] * _row(channel_ptr, c, channels)[:, None] + by_pixel[None, :])
            tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def apply_backward(x_ptr, dy_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
                    channel_ptr, top_ptr,  # (N, C)
                    spatial_ptr,  # (N, H·W)
                    layers_ptr,  # (N, 2, H·W)
                    u_ptr, v_ptr, w_ptr,  # (C,)
                    gate_bias_ptr, activation_bias_ptr,  # (1,)
                    maps_ptr,  # (N, 8, H·W): P, Q; gradients of e_u, e_w, d_v, d_w, A_s; equals of the maximum
                    sums_ptr,  # (N, strips, 6, C): Σ_p P·dY·X; Σ_p X times each of those four; equals of the maximum
                    bias_sums_ptr,  # (N, strips, 2)
                    scale, channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
                   BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """Back through Y and the blend: what is learnt from X and dY in two looks at a strip."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    channel_ptr += n * channels
    top_ptr += n * channels
    of_strip = n * tl.num_programs(0) + strip
    spatial = _strip(spatial_ptr + n * pixels, p, pixels)
    peak = _strip(layers_ptr + n * 2 * pixels + pixels, p, pixels)

    sum_e_u = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_e_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_d_v = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_d_w = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_p = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    sum_q = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    equals = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):
        c = first + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        product = x * tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        channel = _row(channel_ptr, c, channels)
        w = _row(w_ptr, c, channels)
        sum_e_u += x * (_row(u_ptr, c, channels) * channel)[:, None]
        sum_e_w += x * (w * channel)[:, None]
        sum_d_v += x * _row(v_ptr, c, channels)[:, None]
        sum_d_w += x * w[:, None]
        sum_p += product * channel[:, None]
        sum_q += product
        equals += tl.where(inside & (x == peak[None, :]), 1.0, 0.0)

    e_u, e_w, d_v, d_w = tl.sum(sum_e_u, 0), tl.sum(sum_e_w, 0), tl.sum(sum_d_v, 0), tl.sum(sum_d_w, 0)
    grad_p, grad_q = tl.sum(sum_p, 0), tl.sum(sum_q, 0)
    gate, rest, alpha = _blend(e_u, e_w, d_v, d_w, spatial, gate_bias_ptr, activation_bias_ptr)
    by_channel, by_pixel = scale * alpha * gate, scale * alpha * rest
    grad_logit = (grad_p * gate + grad_q * rest) * scale * alpha * (1 - alpha)
    grad_rest = grad_q * scale * alpha + grad_logit * d_w
    grad_gate = grad_p * scale * alpha + grad_logit * e_w - grad_rest * spatial
    grad_e_u = grad_gate * gate * (1 - gate)
    grad_e_w = grad_logit * gate
    grad_d_v = grad_e_u * spatial
    grad_d_w = grad_logit * rest
    maps_ptr += n * 8 * pixels + p
    tl.store(maps_ptr, by_channel, p < pixels)
    tl.store(maps_ptr + pixels, by_pixel, p < pixels)
    tl.store(maps_ptr + 2 * pixels, grad_e_u, p < pixels)
    tl.store(maps_ptr + 3 * pixels, grad_e_w, p < pixels)
    tl.store(maps_ptr + 4 * pixels, grad_d_v, p < pixels)
    tl.store(maps_ptr + 5 * pixels, grad_d_w, p < pixels)
    tl.store(maps_ptr + 6 * pixels, grad_rest * (1 - gate) + grad_e_u * d_v, p < pixels)
    tl.store(maps_ptr + 7 * pixels, tl.sum(equals, 0), p < pixels)
    tl.store(bias_sums_ptr + of_strip * 2, tl.sum(tl.where(p < pixels, grad_e_u, 0.0), 0))
    tl.store(bias_sums_ptr + of_strip * 2 + 1, tl.sum(tl.where(p < pixels, grad_logit, 0.0), 0))

    sums_ptr += of_strip * 6 * channels
    for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):  # the same strip again, out of the cache
        c = first + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        product = x * tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        at_top = inside & (x == _row(top_ptr, c, channels)[:, None])
        tl.store(sums_ptr + c, tl.sum(product * by_channel[None, :], 1), c < channels)
        tl.store(sums_ptr + channels + c, tl.sum(x * grad_e_u[None, :], 1), c < channels)
        tl.store(sums_ptr + 2 * channels + c, tl.sum(x * grad_e_w[None, :], 1), c < channels)
        tl.store(sums_ptr + 3 * channels + c, tl.sum(x * grad_d_v[None, :], 1), c < channels)
        tl.store(sums_ptr + 4 * channels + c, tl.sum(x * grad_d_w[None, :], 1), c < channels)
        tl.store(sums_ptr + 5 * channels + c, tl.sum(tl.where(at_top, 1.0, 0.0), 1), c < channels)


@triton.jit
def input_gradient(x_ptr, dy_ptr, dx_ptr,  # (N, C, H·W) or, with CHANNELS_LAST, (N, H·W, C)
                    channel_ptr, top_ptr, top_equals_ptr, d_pooled_ptr,  # (N, C)
                    layers_ptr, d_layers_ptr,  # (N, 2, H·W)
                    maps_ptr,  # (N, 8, H·W), as apply_backward writes them
                    u_ptr, v_ptr, w_ptr,  # (C,)
                    channels, groups, GROUP: tl.constexpr, CHANNELS_LAST: tl.constexpr,
                   BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr):
    """dX, from everything."""
    strip, n = tl.program_id(0), tl.program_id(1).to(tl.int64)
    pixels = groups * GROUP
    p = strip * BLOCK_P + tl.arange(0, BLOCK_P)
    maps_ptr += n * 8 * pixels
    layers_ptr += n * 2 * pixels
    d_layers_ptr += n * 2 * pixels
    of_map = n * channels
    by_channel = _strip(maps_ptr, p, pixels)
    by_pixel = _strip(maps_ptr + pixels, p, pixels)
    grad_e_u = _strip(maps_ptr + 2 * pixels, p, pixels)
    grad_e_w = _strip(maps_ptr + 3 * pixels, p, pixels)
    grad_d_v = _strip(maps_ptr + 4 * pixels, p, pixels)
    grad_d_w = _strip(maps_ptr + 5 * pixels, p, pixels)
    peak = _strip(layers_ptr + pixels, p, pixels)
    # Equal maxima share their gradient evenly, as amax's own backward does.
    to_peak = _strip(d_layers_ptr + pixels, p, pixels) / _strip(maps_ptr + 7 * pixels, p, pixels)
    to_all = _strip(d_layers_ptr, p, pixels) / channels
    for first in tl.range(0, channels, BLOCK_C, loop_unroll_factor=UNROLL):
        c = first + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        at = _offsets(n, c, p, channels, pixels, CHANNELS_LAST)
        x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
        dy = tl.load(dy_ptr + at, inside, other=0.0).to(tl.float32)
        channel = _row(channel_ptr + of_map, c, channels)
        u, v, w = _row(u_ptr, c, channels), _row(v_ptr, c, channels), _row(w_ptr, c, channels)
        d_pooled = _row(d_pooled_ptr + of_map, c, channels)
        to_top = d_pooled / _row(top_equals_ptr + of_map, c, channels)
        dx = dy * (by_channel[None, :] * channel[:, None] + by_pixel[None, :])
        dx += (u * channel)[:, None] * grad_e_u[None, :] + (w * channel)[:, None] * grad_e_w[None, :]
        dx += v[:, None] * grad_d_v[None, :] + w[:, None] * grad_d_w[None, :]
        dx += to_all[None, :] + (d_pooled / pixels)[:, None]
        dx += tl.where(x == peak[None, :], to_peak[None, :], 0.0)
        dx += tl.where(x == _row(top_ptr + of_map, c, channels)[:, None], to_top[:, None], 0.0)
        tl.store(dx_ptr + at, dx.to(dx_ptr.dtype.element_ty), inside)
