"""The rearranged form of DMSCA in PyTorch operators: the function of the literal form, without its copies of X.

Gate and activation are linear in X before their σ, so no weighted copy of X is needed. Let u and v be the halves of
the gate's weight, w the activation's weight and x_p the channels of pixel p::

    reduce   pooled = avgpool(X) + maxpool(X);  D = [mean_C X; max_C X];  d_v = v·x_p,  d_w = w·x_p
    gates    A_c = tca(gce(pooled));  A_s = msce(D, dii(D))
    apply    e_u = (u ⊙ A_c)·x_p,  e_w = (w ⊙ A_c)·x_p
             G = σ(e_u + A_s·d_v + b);  α = s·σ(G·e_w + (1 − G)·A_s·d_w + b');  P = α·G,  Q = α·(1 − G)·A_s
             Y = X ⊙ (P ⊙ A_c + Q)

``gates.py`` computes A_c and A_s. The kernels in ``cpu/`` and ``triton/`` compute the same stages, forward and
backward. This form is used for all other calls: double precision, other devices, transforms of torch.func. Small
tensors have ``Parameters.stats_dtype``; X keeps its own type.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .gates import channel_gate, channel_gate_backward, sigmoid_slope, spatial_gate, spatial_gate_backward
from .signature import ForwardStats, Parameters


class Blend(NamedTuple):
    """The factors P and Q of Y and the values that their gradients need, each (N, 1, H, W)."""

    e_w: Tensor
    d_v: Tensor
    d_w: Tensor
    gate: Tensor  # G
    rest: Tensor  # (1 − G)·A_s
    activation: Tensor  # α
    by_channel: Tensor  # P
    by_pixel: Tensor  # Q


class BackwardStats(NamedTuple):
    """The reductions of X and dY that ``apply_backward`` computes."""

    rows: Tensor  # gradients of e_u, e_w, d_v and d_w, (N, 4, H, W)
    spatial: Tensor  # gradient of A_s, (N, 1, H, W)
    channel: Tensor  # gradient of A_c, (N, C)
    dff_gate_weight: Tensor
    dff_gate_bias: Tensor
    aa_conv_weight: Tensor
    aa_conv_bias: Tensor


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Compute Y and the statistics for backward.

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
    """Compute dX and the gradients of the parameters, in the parameters' type.

    Args:
        dy: dY, (N, C, H, W), in X's type.
        x, parameters, scale: the arguments of ``attend``.
        stats: the statistics that ``attend`` returned.
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
    """Compute pooled and maxpool(X), each (N, C), and D, (N, 2, H, W)."""
    spatial_max = x.amax((2, 3)).to(dtype)
    layers = torch.cat([x.mean(1, keepdim=True, dtype=dtype), x.amax(1, keepdim=True).to(dtype)], 1)
    return x.mean((2, 3), dtype=dtype) + spatial_max, spatial_max, layers


def apply(x: Tensor, channel: Tensor, spatial: Tensor, parameters: Parameters, scale: float) -> Blend:
    """Compute G, α, P and Q from X, A_c, (N, C), and A_s, (N, 1, H, W)."""
    u, v, w = weight_rows(parameters)
    e_u, e_w = dot(torch.stack([u, w]) * channel[:, None], x).split(1, 1)
    d_v, d_w = dot(torch.stack([v, w]).expand(x.shape[0], -1, -1), x).split(1, 1)
    return blend_gates(e_u, e_w, d_v, d_w, spatial, parameters, scale)


def blend_gates(e_u: Tensor, e_w: Tensor, d_v: Tensor, d_w: Tensor, spatial: Tensor, parameters: Parameters,
                scale: float) -> Blend:
    """Compute G, α, P and Q from the dot products and A_s, each (N, 1, H, W)."""
    gate = torch.sigmoid(e_u + spatial * d_v + parameters.dff_gate_bias)
    rest = spatial - gate * spatial
    activation = scale * torch.sigmoid(gate * e_w + rest * d_w + parameters.aa_conv_bias)
    return Blend(e_w, d_v, d_w, gate, rest, activation, activation * gate, activation * rest)


def apply_backward(dy: Tensor, x: Tensor, channel: Tensor, spatial: Tensor, blend: Blend, parameters: Parameters,
                   scale: float) -> BackwardStats:
    """Backpropagate through Y, P, Q, α and G to A_c, A_s, the dot products and their weights."""
    u, _, w = weight_rows(parameters)
    product = dy * x
    d_by_channel, d_by_pixel = dot(torch.stack([channel, torch.ones_like(channel)], 1), product).split(1, 1)
    d_logit = (d_by_channel * blend.gate + d_by_pixel * blend.rest) * sigmoid_slope(blend.activation, scale)
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


def input_gradient(dy: Tensor, x: Tensor, stats: ForwardStats, blend: Blend, back: BackwardStats, d_pooled: Tensor,
                   d_layers: Tensor, parameters: Parameters) -> Tensor:
    """Compute dX: through Y, through the dot products and means, each of rank one, and through both maxima."""
    n, c, h, w = x.shape
    u, v, w_row = weight_rows(parameters)
    # Equal maxima share their gradient evenly, as in the backward of amax.
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


def weight_rows(parameters: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Return u, v and w, each (C,)."""
    return *parameters.dff_gate_weight.flatten().chunk(2), parameters.aa_conv_weight.flatten()


def dot(rows: Tensor, x: Tensor) -> Tensor:
    """Compute dot products over channels of rows, (N, R, C), and X: (N, R, H, W), in the rows' dtype."""
    return (rows.to(x.dtype) @ x.flatten(2)).to(rows.dtype).unflatten(2, x.shape[2:])


def _dot_pixels(rows: Tensor, x: Tensor) -> Tensor:
    """Compute dot products over pixels of rows, (N, R, H, W), and X: (N, R, C), in the rows' dtype."""
    return (rows.flatten(2).to(x.dtype) @ x.flatten(2).transpose(1, 2)).to(rows.dtype)


def _scale(blend: Blend, channel: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """Compute P ⊙ A_c + Q, (N, C, H, W), the only large intermediate tensor of forward."""
    return torch.addcmul(blend.by_pixel.to(dtype), blend.by_channel.to(dtype), channel[:, :, None, None].to(dtype),
                         out=out)
