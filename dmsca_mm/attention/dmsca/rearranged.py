"""The rearranged form of DMSCA in PyTorch operators: the literal form's function, without its copies of X.

Gate and activation are linear in X before their σ, so no weighted copy of X is needed. With u, v the halves of the
gate's weight, w the activation's weight and x_p the channels of pixel p::

    reduce   pooled = avgpool(X) + maxpool(X);  D = [mean_C X; max_C X];  d_v = v·x_p,  d_w = w·x_p
    gates    A_c = tca(gce(pooled));  A_s = msce(D, dii(D))
    apply    e_u = (u ⊙ A_c)·x_p,  e_w = (w ⊙ A_c)·x_p
             G = σ(e_u + A_s·d_v + b);  α = s·σ(G·e_w + (1 − G)·A_s·d_w + b');  P = α·G,  Q = α·(1 − G)·A_s
             Y = X ⊙ (P ⊙ A_c + Q)

The kernels in ``cpu/`` and ``triton/`` compute the same stages, forward and backward. This form serves wherever they do
not: double precision, other devices, export. Small tensors have ``Parameters.stats_dtype``, X keeps its own type.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .parts import MAX_LOG_TEMPERATURE
from .signature import ForwardStats, Parameters


class SpatialGate(NamedTuple):
    """A_s and what it is made of, (N, 1, H, W) unless noted."""

    spatial: Tensor  # A_s
    rows: Tensor  # σ(R), (N, 1, H, 1)
    columns: Tensor  # σ(K), (N, 1, 1, W)
    kernel: Tensor  # all scales re-parameterized into one convolution, (1, 2, k, k)


class Blend(NamedTuple):
    """What Y is scaled by, and what its gradient needs again; each (N, 1, H, W)."""

    e_w: Tensor
    d_v: Tensor
    d_w: Tensor
    gate: Tensor  # G
    rest: Tensor  # (1 − G)·A_s
    activation: Tensor  # α
    by_channel: Tensor  # P
    by_pixel: Tensor  # Q


class BackwardStats(NamedTuple):
    """What ``apply_backward`` reduces from X and dY."""

    rows: Tensor  # gradients of e_u, e_w, d_v and d_w, (N, 4, H, W)
    spatial: Tensor  # gradient of A_s, (N, 1, H, W)
    channel: Tensor  # gradient of A_c, (N, C)
    dff_gate_weight: Tensor
    dff_gate_bias: Tensor
    aa_conv_weight: Tensor
    aa_conv_bias: Tensor


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Y and what backward keeps.

    Args:
        x: X, (N, C, H, W), floating point.
        parameters: of the module.
        scale: s, the upper end of A_c, A_s and α.
    """
    dtype = parameters.stats_dtype(x)
    parameters = parameters.to(dtype)
    with torch.autocast(x.device.type, enabled=False):
        pooled, spatial_max, layers = reduce_forward(x, dtype)
        hidden, channel = channel_gate(pooled, parameters, scale)
        spatial = spatial_gate(layers, parameters, scale).spatial
        blend = apply(x, channel, spatial, parameters, scale)
        return x * _scale(blend, channel, x.dtype), ForwardStats(pooled, spatial_max, hidden, channel, layers)


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """dX and the gradients of the parameters, in the parameters' type.

    Args:
        dy: dY, (N, C, H, W), in X's type.
        x, parameters, scale: as ``attend`` had them.
        stats: what it returned.
    """
    own, parameters = parameters, parameters.to(parameters.stats_dtype(x))
    with torch.autocast(x.device.type, enabled=False):
        gate = spatial_gate(stats.layers, parameters, scale)
        blend = apply(x, stats.channel, gate.spatial, parameters, scale)
        back = apply_backward(dy, x, stats.channel, gate.spatial, blend, parameters, scale)
        d_pooled, channel_gradients = channel_gate_backward(back.channel, stats, parameters, scale)
        d_layers, spatial_gradients = spatial_gate_backward(back.spatial, stats.layers, gate, parameters, scale)
        dx = input_gradient(dy, x, stats, blend, back, d_pooled, d_layers, parameters)
    gradients = Parameters(**channel_gradients, **spatial_gradients, dff_gate_weight=back.dff_gate_weight,
                           dff_gate_bias=back.dff_gate_bias, aa_conv_weight=back.aa_conv_weight,
                           aa_conv_bias=back.aa_conv_bias)
    return dx, own.nest([d.to(tensor.dtype) for d, tensor in zip(gradients.flat(), own.flat(), strict=True)])


def reduce_forward(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled and maxpool(X), each (N, C), and D, (N, 2, H, W)."""
    spatial_max = x.amax((2, 3)).to(dtype)
    layers = torch.cat([x.mean(1, keepdim=True, dtype=dtype), x.amax(1, keepdim=True).to(dtype)], 1)
    return x.mean((2, 3), dtype=dtype) + spatial_max, spatial_max, layers


def channel_gate(pooled: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, Tensor]:
    """relu(fc1(pooled)), (N, h), and A_c, (N, C)."""
    hidden = functional.linear(pooled, parameters.gce_fc1_weight.flatten(1), parameters.gce_fc1_bias).relu()
    context = functional.linear(hidden, parameters.gce_fc2_weight.flatten(1), parameters.gce_fc2_bias)
    return hidden, scale * torch.sigmoid(context / _temperature(parameters))


def spatial_gate(layers: Tensor, parameters: Parameters, scale: float) -> SpatialGate:
    """A_s from D, (N, 2, H, W); the scales and their fusion are linear, so one convolution computes them."""
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


def apply(x: Tensor, channel: Tensor, spatial: Tensor, parameters: Parameters, scale: float) -> Blend:
    """P and Q, by way of G and α, from X, A_c, (N, C), and A_s, (N, 1, H, W)."""
    u, v, w = _rows(parameters)
    e_u, e_w = _dot(torch.stack([u, w]) * channel[:, None], x).split(1, 1)
    d_v, d_w = _dot(torch.stack([v, w]).expand(x.shape[0], -1, -1), x).split(1, 1)
    gate = torch.sigmoid(e_u + spatial * d_v + parameters.dff_gate_bias)
    rest = spatial - gate * spatial
    activation = scale * torch.sigmoid(gate * e_w + rest * d_w + parameters.aa_conv_bias)
    return Blend(e_w, d_v, d_w, gate, rest, activation, activation * gate, activation * rest)


def apply_backward(dy: Tensor, x: Tensor, channel: Tensor, spatial: Tensor, blend: Blend, parameters: Parameters,
                   scale: float) -> BackwardStats:
    """Back through Y, P, Q, α and G, to A_c, A_s, the dot products and their weights."""
    u, _, w = _rows(parameters)
    product = dy * x
    d_by_channel, d_by_pixel = _dot(torch.stack([channel, torch.ones_like(channel)], 1), product).split(1, 1)
    d_logit = (d_by_channel * blend.gate + d_by_pixel * blend.rest) * _sigmoid_slope(blend.activation, scale)
    d_rest = d_by_pixel * blend.activation + d_logit * blend.d_w
    d_gate = d_by_channel * blend.activation + d_logit * blend.e_w - d_rest * spatial
    d_e_u = d_gate * blend.gate * (1 - blend.gate)
    d_rows = torch.cat([d_e_u, d_logit * blend.gate, d_e_u * spatial, d_logit * blend.rest], 1)
    by_e_u, by_e_w, by_d_v, by_d_w = _dot_pixels(d_rows, x).unbind(1)  # (N, C) each
    d_channel = _dot_pixels(blend.by_channel, product)[:, 0] + u * by_e_u + w * by_e_w
    return BackwardStats(
        d_rows, d_rest * (1 - blend.gate) + d_e_u * blend.d_v, d_channel,
        torch.cat([(channel * by_e_u).sum(0), by_d_v.sum(0)]).view_as(parameters.dff_gate_weight), d_e_u.sum().view(1),
        (channel * by_e_w + by_d_w).sum(0).view_as(parameters.aa_conv_weight), d_logit.sum().view(1))


def channel_gate_backward(d_channel: Tensor, stats: ForwardStats, parameters: Parameters,
                          scale: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Gradients of pooled, (N, C), and of the parameters of gce and tca by name."""
    d_scaled = d_channel * _sigmoid_slope(stats.channel, scale)  # of F / τ
    d_context = d_scaled / _temperature(parameters)
    fc1, fc2 = parameters.gce_fc1_weight.flatten(1), parameters.gce_fc2_weight.flatten(1)
    context = functional.linear(stats.hidden, fc2, parameters.gce_fc2_bias)
    inside = parameters.tca_log_temperature.abs() <= MAX_LOG_TEMPERATURE  # the clamp has no slope outside
    d_hidden = (d_context @ fc2) * (stats.hidden > 0)
    return d_hidden @ fc1, dict(
        gce_fc1_weight=(d_hidden.T @ stats.pooled).view_as(parameters.gce_fc1_weight), gce_fc1_bias=d_hidden.sum(0),
        gce_fc2_weight=(d_context.T @ stats.hidden).view_as(parameters.gce_fc2_weight), gce_fc2_bias=d_context.sum(0),
        tca_log_temperature=torch.where(inside, -(d_context * context).sum(), 0.0))


def spatial_gate_backward(d_spatial: Tensor, layers: Tensor, gate: SpatialGate, parameters: Parameters,
                          scale: float) -> tuple[Tensor, dict[str, Tensor | list[Tensor]]]:
    """Gradients of D, (N, 2, H, W), and of the parameters of msce and dii by name."""
    height, width = layers.shape[2:]
    d_logit = d_spatial * _sigmoid_slope(gate.spatial, scale)
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
    d_rows = (d_directional * gate.columns).sum(3, keepdim=True) * _sigmoid_slope(gate.rows)
    d_columns = (d_directional * gate.rows).sum(2, keepdim=True) * _sigmoid_slope(gate.columns)
    by_row, d_conv_h, d_conv_h_bias = _convolution_backward(d_rows, layers.mean(3, keepdim=True),
                                                            parameters.dii_conv_h_weight)
    by_column, d_conv_w, d_conv_w_bias = _convolution_backward(d_columns, layers.mean(2, keepdim=True),
                                                               parameters.dii_conv_w_weight)
    return d_layers + by_row / width + by_column / height, dict(
        msce_convs_weight=d_weights, msce_convs_bias=[share * d_bias for share in shares],
        msce_fuse_weight=torch.stack(d_shares).view_as(parameters.msce_fuse_weight), msce_fuse_bias=d_bias,
        dii_conv_h_weight=d_conv_h, dii_conv_h_bias=d_conv_h_bias, dii_conv_w_weight=d_conv_w,
        dii_conv_w_bias=d_conv_w_bias)


def input_gradient(dy: Tensor, x: Tensor, stats: ForwardStats, blend: Blend, back: BackwardStats, d_pooled: Tensor,
                   d_layers: Tensor, parameters: Parameters) -> Tensor:
    """dX: through Y, through the dot products and means, which are of rank one each, and through both maxima."""
    n, c, h, w = x.shape
    u, v, w_row = _rows(parameters)
    # Equal maxima share their gradient evenly, as amax's own backward does.
    dx = torch.eq(x, stats.layers[:, 1:].to(x.dtype)).to(x.dtype)
    dx.mul_((d_layers[:, 1:] / dx.sum(1, keepdim=True, dtype=d_layers.dtype)).to(x.dtype))
    scratch = torch.eq(x, stats.spatial_max[:, :, None, None].to(x.dtype)).to(x.dtype)
    share = d_pooled[:, :, None, None] / scratch.sum((2, 3), keepdim=True, dtype=d_pooled.dtype)
    dx.addcmul_(scratch, share.to(x.dtype))
    columns = torch.stack([u * stats.channel, w_row * stats.channel, v.expand(n, -1), w_row.expand(n, -1),
                           torch.full_like(stats.channel, 1 / c), d_pooled / (h * w)], 2)  # (N, C, 6)
    pixels = torch.cat([back.rows, d_layers[:, :1], torch.ones_like(d_layers[:, :1])], 1).flatten(2)  # (N, 6, H·W)
    dx.flatten(2).baddbmm_(columns.to(x.dtype), pixels.to(x.dtype))
    return dx.addcmul_(dy, _scale(blend, stats.channel, x.dtype, out=scratch))


def _rows(parameters: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """u, v and w, (C,)."""
    return *parameters.dff_gate_weight.flatten().chunk(2), parameters.aa_conv_weight.flatten()


def _temperature(parameters: Parameters) -> Tensor:
    return parameters.tca_log_temperature.clamp(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE).exp()


def _sigmoid_slope(value: Tensor, scale: float = 1.0) -> Tensor:
    """The derivative of ``scale·σ`` where it has this value."""
    return value * (1 - value / scale)


def _convolution_backward(d_output: Tensor, value: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the input, the weight and the bias of a convolution with same padding."""
    padding = [size // 2 for size in weight.shape[2:]]
    return torch.ops.aten.convolution_backward(d_output, value, weight, [1], [1, 1], padding, [1, 1], False, [0, 0], 1,
                                               [True, True, True])


def _dot(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over channels: rows (N, R, C) with X (N, C, H, W) give (N, R, H, W), in the rows' dtype."""
    return (rows.to(x.dtype) @ x.flatten(2)).to(rows.dtype).unflatten(2, x.shape[2:])


def _dot_pixels(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over pixels: rows (N, R, H, W) with X (N, C, H, W) give (N, R, C), in the rows' dtype."""
    return (rows.flatten(2).to(x.dtype) @ x.flatten(2).transpose(1, 2)).to(rows.dtype)


def _scale(blend: Blend, channel: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """P ⊙ A_c + Q, (N, C, H, W): the one large tensor."""
    return torch.addcmul(blend.by_pixel.to(dtype), blend.by_channel.to(dtype), channel[:, :, None, None].to(dtype),
                         out=out)
