"""The gates A_c and A_s, computed from reductions of X, forward and backward, with PyTorch operators.

The reductions are pooled, (N, C), and D, (N, 2, H, W). All tensors are small and have ``Parameters.stats_dtype``.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .parts import MAX_LOG_TEMPERATURE
from .signature import ForwardStats, Parameters


class SpatialGate(NamedTuple):
    """A_s and its intermediate results, (N, 1, H, W) unless noted."""

    spatial: Tensor  # A_s
    rows: Tensor  # σ(R), (N, 1, H, 1)
    columns: Tensor  # σ(K), (N, 1, 1, W)
    kernel: Tensor  # all scales re-parameterized into one convolution, (1, 2, k, k)


def channel_gate(pooled: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, Tensor]:
    """Return relu(fc1(pooled)), (N, h), and A_c, (N, C)."""
    hidden = functional.linear(pooled, parameters.gce_fc1_weight.flatten(1), parameters.gce_fc1_bias).relu()
    context = functional.linear(hidden, parameters.gce_fc2_weight.flatten(1), parameters.gce_fc2_bias)
    return hidden, scale * torch.sigmoid(context / _temperature(parameters))


def spatial_gate(layers: Tensor, parameters: Parameters, scale: float) -> SpatialGate:
    """Compute A_s from D, (N, 2, H, W). The scales and their fusion are linear, so one convolution computes them."""
    d = parameters.dii_conv_h_weight.shape[2] // 2
    rows = functional.conv2d(layers.mean(3, keepdim=True), parameters.dii_conv_h_weight, parameters.dii_conv_h_bias,
                             padding=(d, 0)).sigmoid()
    columns = functional.conv2d(layers.mean(2, keepdim=True), parameters.dii_conv_w_weight, parameters.dii_conv_w_bias,
                                padding=(0, d)).sigmoid()
    *shares, last = parameters.msce_fuse_weight.flatten().unbind()
    largest = max(weight.shape[2] for weight in parameters.msce_convs_weight)
    kernel = sum(share * functional.pad(weight, ((largest - weight.shape[2]) // 2,) * 4)
                 for share, weight in zip(shares, parameters.msce_convs_weight, strict=True))
    bias = parameters.msce_fuse_bias + sum(share * bias for share, bias
                                           in zip(shares, parameters.msce_convs_bias, strict=True))
    logits = functional.conv2d(layers, kernel, bias, padding=largest // 2) + last * (rows * columns)
    return SpatialGate(scale * torch.sigmoid(logits), rows, columns, kernel)


def channel_gate_backward(d_channel: Tensor, stats: ForwardStats, parameters: Parameters,
                          scale: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the gradients of pooled, (N, C), and, by name, of the parameters of gce and tca."""
    d_scaled = d_channel * sigmoid_slope(stats.channel, scale)  # of F / τ
    d_context = d_scaled / _temperature(parameters)
    fc1, fc2 = parameters.gce_fc1_weight.flatten(1), parameters.gce_fc2_weight.flatten(1)
    context = functional.linear(stats.hidden, fc2, parameters.gce_fc2_bias)
    inside = parameters.tca_log_temperature.abs() <= MAX_LOG_TEMPERATURE  # outside, the clamp's gradient is 0
    d_hidden = (d_context @ fc2).masked_fill(stats.hidden <= 0, 0)
    return d_hidden @ fc1, dict(
        gce_fc1_weight=(d_hidden.T @ stats.pooled).view_as(parameters.gce_fc1_weight), gce_fc1_bias=d_hidden.sum(0),
        gce_fc2_weight=(d_context.T @ stats.hidden).view_as(parameters.gce_fc2_weight), gce_fc2_bias=d_context.sum(0),
        tca_log_temperature=torch.where(inside, -(d_context * context).sum(), 0.0))


def spatial_gate_backward(d_spatial: Tensor, layers: Tensor, gate: SpatialGate, parameters: Parameters,
                          scale: float) -> tuple[Tensor, dict[str, Tensor | list[Tensor]]]:
    """Return the gradients of D, (N, 2, H, W), and, by name, of the parameters of msce and dii."""
    height, width = layers.shape[2:]
    d_logit = d_spatial * sigmoid_slope(gate.spatial, scale)
    d_layers, d_kernel, d_bias = _convolution_backward(d_logit, layers, gate.kernel)
    *shares, last = parameters.msce_fuse_weight.flatten().unbind()
    largest, d_shares, d_weights = gate.kernel.shape[2], [], []
    for share, weight, bias in zip(shares, parameters.msce_convs_weight, parameters.msce_convs_bias, strict=True):
        border = (largest - weight.shape[2]) // 2
        inner = d_kernel[:, :, border:largest - border, border:largest - border]
        d_weights.append(share * inner)
        d_shares.append((inner * weight).sum() + d_bias.sum() * bias.sum())
    d_shares.append((d_logit * (gate.rows * gate.columns)).sum())

    d_directional = last * d_logit
    d_rows = (d_directional * gate.columns).sum(3, keepdim=True) * sigmoid_slope(gate.rows)
    d_columns = (d_directional * gate.rows).sum(2, keepdim=True) * sigmoid_slope(gate.columns)
    by_row, d_conv_h, d_conv_h_bias = _convolution_backward(d_rows, layers.mean(3, keepdim=True),
                                                            parameters.dii_conv_h_weight)
    by_column, d_conv_w, d_conv_w_bias = _convolution_backward(d_columns, layers.mean(2, keepdim=True),
                                                               parameters.dii_conv_w_weight)
    return d_layers + by_row / width + by_column / height, dict(
        msce_convs_weight=d_weights, msce_convs_bias=[share * d_bias for share in shares],
        msce_fuse_weight=torch.stack(d_shares).view_as(parameters.msce_fuse_weight), msce_fuse_bias=d_bias,
        dii_conv_h_weight=d_conv_h, dii_conv_h_bias=d_conv_h_bias, dii_conv_w_weight=d_conv_w,
        dii_conv_w_bias=d_conv_w_bias)


def sigmoid_slope(value: Tensor, scale: float = 1.0) -> Tensor:
    """Return the derivative of ``scale·σ`` at the point where it equals ``value``."""
    return value * (1 - value / scale)


def _temperature(parameters: Parameters) -> Tensor:
    return parameters.tca_log_temperature.clamp(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE).exp()


def _convolution_backward(d_output: Tensor, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the input, the weight and the bias of a convolution with same padding."""
    padding = [size // 2 for size in weight.shape[2:]]
    return torch.ops.aten.convolution_backward(d_output, value, weight, [1], [1, 1], padding, [1, 1], False, [0, 0], 1,
                                               [True, True, True])
