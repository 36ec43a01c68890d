"""Backward of the channel branch, gce and tca: functions that the programs of ``gate_gradient_kernels.py`` call.

``program`` is the index of a program within one function; each writes its own block of the outputs. Small tensors are
fp32; gradients of parameters have the parameters' type. Importing this module needs Triton.
"""
from __future__ import annotations

import triton
import triton.language as tl

from .channel_kernels import MAX_LOG_TEMPERATURE, linear, temperature
from .element_kernels import scalar, sigmoid_slope, vector


@triton.jit
def context_gradient(program, sums_ptr,  # (N, strips, 5, C), as apply_backward writes them
                     channel_ptr,  # A_c, (N, C)
                     log_temperature_ptr,
                     d_context_ptr, equals_ptr,  # (N, C): of fc2's output; number of pixels at the channel's maximum
                     d_rows_ptr,  # (N, 3, C): gradients of u, v and w from each image
                     strips, channels, scale, BLOCK_S: tl.constexpr, BLOCK_C: tl.constexpr):
    """Add up the sums of the strips and backpropagate through A_c and τ."""
    blocks = tl.cdiv(channels, BLOCK_C)
    n, c = (program // blocks).to(tl.int64), program % blocks * BLOCK_C + tl.arange(0, BLOCK_C)
    sums_ptr += n * strips * 5 * channels
    d_channel = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    d_u = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    d_v = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    d_w = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    equals = tl.zeros((BLOCK_S, BLOCK_C), tl.float32)
    for first in range(0, strips, BLOCK_S):
        s = first + tl.arange(0, BLOCK_S)
        inside = (s < strips)[:, None] & (c < channels)[None, :]
        at = s[:, None] * 5 * channels + c[None, :]
        d_channel += tl.load(sums_ptr + at, inside, other=0.0)
        d_u += tl.load(sums_ptr + at + channels, inside, other=0.0)
        d_v += tl.load(sums_ptr + at + 2 * channels, inside, other=0.0)
        d_w += tl.load(sums_ptr + at + 3 * channels, inside, other=0.0)
        equals += tl.load(sums_ptr + at + 4 * channels, inside, other=0.0)
    of_map = n * channels + c
    value = vector(channel_ptr + n * channels, c, channels)
    tl.store(d_context_ptr + of_map,
             tl.sum(d_channel, 0) * sigmoid_slope(value, scale) / temperature(log_temperature_ptr), c < channels)
    tl.store(equals_ptr + of_map, tl.sum(equals, 0), c < channels)
    d_rows_ptr += n * 3 * channels + c
    tl.store(d_rows_ptr, value * tl.sum(d_u, 0), c < channels)
    tl.store(d_rows_ptr + channels, tl.sum(d_v, 0), c < channels)
    tl.store(d_rows_ptr + 2 * channels, tl.sum(d_w, 0), c < channels)


@triton.jit
def bias_gradients(bias_sums_ptr,  # (N, strips, 2)
                   d_gate_bias_ptr, d_activation_bias_ptr, count, BLOCK: tl.constexpr):
    """Gradients of the biases of dff and aa, from all ``count`` strips of all images."""
    gate = tl.zeros((BLOCK,), tl.float32)
    activation = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, count, BLOCK):
        i = first + tl.arange(0, BLOCK)
        gate += tl.load(bias_sums_ptr + i * 2, i < count, other=0.0)
        activation += tl.load(bias_sums_ptr + i * 2 + 1, i < count, other=0.0)
    tl.store(d_gate_bias_ptr, tl.sum(gate, 0).to(d_gate_bias_ptr.dtype.element_ty))
    tl.store(d_activation_bias_ptr, tl.sum(activation, 0).to(d_activation_bias_ptr.dtype.element_ty))


@triton.jit
def row_gradient(program, d_rows_ptr,  # (N, 3, C)
                 d_gate_weight_ptr, d_activation_weight_ptr,  # (2, C), (C,)
                 images, channels, BLOCK_C: tl.constexpr):
    """Gradients of u, v and w, summed over the images."""
    blocks = tl.cdiv(channels, BLOCK_C)
    row, c = program // blocks, program % blocks * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros((BLOCK_C,), tl.float32)
    d_rows_ptr += row * channels
    for _ in tl.range(0, images, loop_unroll_factor=4):
        total += vector(d_rows_ptr, c, channels)
        d_rows_ptr += 3 * channels
    if row < 2:
        tl.store(d_gate_weight_ptr + row * channels + c, total.to(d_gate_weight_ptr.dtype.element_ty), c < channels)
    else:
        tl.store(d_activation_weight_ptr + c, total.to(d_activation_weight_ptr.dtype.element_ty), c < channels)


@triton.jit
def hidden_gradient(program, d_context_ptr,  # (N, C)
                    weight_ptr,  # of fc2, (C, h)
                    hidden_ptr, d_hidden_ptr,  # (N, h)
                    images, channels, units, BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Backpropagate through fc2 and the ReLU to fc1's output."""
    total, n, j = linear(program, d_context_ptr, weight_ptr, images, channels, units, 1, units, BLOCK_N, BLOCK_O,
                          BLOCK_I)
    at, inside = n[:, None] * units + j[None, :], (n < images)[:, None] & (j < units)[None, :]
    blocked = tl.load(hidden_ptr + at, inside, other=0.0) <= 0  # false for NaN, as in the backward of relu
    tl.store(d_hidden_ptr + at, tl.where(blocked, 0.0, total), inside)


@triton.jit
def pooled_gradient(program, d_hidden_ptr,  # (N, h)
                    weight_ptr,  # of fc1, (h, C)
                    d_pooled_ptr,  # (N, C)
                    images, units, channels, BLOCK_N: tl.constexpr, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Backpropagate through fc1."""
    total, n, c = linear(program, d_hidden_ptr, weight_ptr, images, units, channels, 1, channels, BLOCK_N, BLOCK_O,
                          BLOCK_I)
    tl.store(d_pooled_ptr + n[:, None] * channels + c[None, :], total, (n < images)[:, None] & (c < channels)[None, :])


@triton.jit
def linear_gradient(program, d_output_ptr,  # (N, outputs)
                    input_ptr,  # (N, inputs)
                    d_weight_ptr, d_bias_ptr,  # (outputs, inputs), (outputs,)
                    images, outputs, inputs, BLOCK_O: tl.constexpr, BLOCK_I: tl.constexpr):
    """Gradients of a fully connected layer's weight and bias, summed over the images in order."""
    blocks = tl.cdiv(inputs, BLOCK_I)
    o = program // blocks * BLOCK_O + tl.arange(0, BLOCK_O)
    i = program % blocks * BLOCK_I + tl.arange(0, BLOCK_I)
    d_weight = tl.zeros((BLOCK_O, BLOCK_I), tl.float32)
    d_bias = tl.zeros((BLOCK_O,), tl.float32)
    for _ in tl.range(0, images, loop_unroll_factor=4):
        d_output = vector(d_output_ptr, o, outputs)
        d_weight += d_output[:, None] * vector(input_ptr, i, inputs)[None, :]
        d_bias += d_output
        d_output_ptr += outputs
        input_ptr += inputs
    tl.store(d_weight_ptr + o[:, None] * inputs + i[None, :], d_weight.to(d_weight_ptr.dtype.element_ty),
             (o < outputs)[:, None] & (i < inputs)[None, :])
    if program % blocks == 0:  # only one of the programs with these outputs
        tl.store(d_bias_ptr + o, d_bias.to(d_bias_ptr.dtype.element_ty), o < outputs)


@triton.jit
def temperature_gradient(d_context_ptr, bias_ptr,  # (N, C) and fc2's, (C,)
                         d_hidden_ptr, hidden_ptr,  # (N, h)
                         log_temperature_ptr, d_log_temperature_ptr, images, channels, units, BLOCK: tl.constexpr):
    """Gradient of log τ, which is −Σ d_context·context inside the clamp and zero outside.

    With context = fc2(hidden) the sum is Σ d_context·bias + Σ d_hidden·hidden, so context is not stored.
    """
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, images * channels, BLOCK):
        i = first + tl.arange(0, BLOCK)
        total += (vector(d_context_ptr, i, images * channels)
                  * tl.load(bias_ptr + i % channels).to(tl.float32))
    for first in range(0, images * units, BLOCK):
        i = first + tl.arange(0, BLOCK)
        total += vector(d_hidden_ptr, i, images * units) * vector(hidden_ptr, i, images * units)
    inside = tl.abs(scalar(log_temperature_ptr)) <= MAX_LOG_TEMPERATURE
    tl.store(d_log_temperature_ptr,
             tl.where(inside, -tl.sum(total, 0), 0.0).to(d_log_temperature_ptr.dtype.element_ty))
