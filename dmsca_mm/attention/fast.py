"""DMSCA's fast form: the same function as the literal one, with three looks at X and one large tensor written.

Gate and activation are linear in X before their σ, so no weighted copy of X is ever made. With u, v the halves of the
gate's weight, w the activation's weight and x_p the channels of pixel p::

    look 1    pooled = avgpool(X) + maxpool(X);  D = [mean_C X; max_C X];  d_v = v·x_p,  d_w = w·x_p
    small     A_c = tca(gce(pooled));  A_s = msce(D, dii(D))
    look 2    e_u = (u ⊙ A_c)·x_p,  e_w = (w ⊙ A_c)·x_p
    small     G = σ(e_u + A_s·d_v + b);  α = s·σ(G·e_w + (1 − G)·A_s·d_w + b');  P = α·G,  Q = α·(1 − G)·A_s
    look 3    Y = X ⊙ (P ⊙ A_c + Q)

Training keeps X and the small tensors. Small tensors have the parameters' dtype (under autocast fp32), X keeps its own.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

# From pooled, (N, C, 1, 1), and D, (N, 2, H, W), to A_c, (N, C, 1, 1), and A_s, (N, 1, H, W).
Gates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def attend(x: Tensor, gates: Gates, gate: torch.nn.Conv2d, activation: torch.nn.Conv2d, scale: float,
           parameters: list[Tensor]) -> Tensor:
    """Y of DMSCA.

    Args:
        x: X, (N, C, H, W), floating point.
        gates: the small graph of the channel and the spatial branch.
        gate: the 1×1 convolution 2C→1 of the dynamic feature fusion.
        activation: the 1×1 convolution C→1 of the adaptive activation.
        scale: s, the upper end of the activation's range.
        parameters: every parameter of the module, those of ``gates`` too.
    """
    if not _is_dense(x):
        x = x.contiguous()
    graph = _SmallGraph(gates, gate, activation, scale)
    with torch.autocast(x.device.type, enabled=False):
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        if not traced and torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in parameters)):
            return _Attend.apply(x, graph, *parameters)
        pooled, layers, dots, _ = graph.look(x, graph.fixed())
        channel, spatial, weights = graph.weights(pooled, layers)
        p, q = graph.blend(_dot(weights, x), dots, spatial)
        if traced:  # a compiler derives and fuses the backward by itself
            return x * _scale(channel, p, q, x.dtype)
        return _scale(channel, p, q, x.dtype, out=torch.empty_like(x)).mul_(x)


class _SmallGraph:
    """The five steps but for the last product; everything it returns is small."""

    def __init__(self, gates: Gates, gate: torch.nn.Conv2d, activation: torch.nn.Conv2d, scale: float) -> None:
        self.gates, self.gate, self.activation, self.scale = gates, gate, activation, scale

    def fixed(self) -> Tensor:
        """The rows v and w, (2, C)."""
        c = self.activation.in_channels
        return torch.stack([self.gate.weight.flatten()[c:], self.activation.weight.flatten()])

    def look(self, x: Tensor, fixed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """From X and [v; w] to pooled, (N, C, 1, 1), D, (N, 2, H, W), [d_v; d_w], (N, 2, H, W), and maxpool(X)."""
        top = x.amax((2, 3), keepdim=True)
        pooled = x.mean((2, 3), keepdim=True).to(fixed.dtype) + top.to(fixed.dtype)
        rows = torch.cat([fixed, fixed.new_full((1, x.shape[1]), 1 / x.shape[1])])  # the mean is a dot product as well
        dots = _dot(rows.expand(x.shape[0], -1, -1), x)
        layers = torch.cat([dots[:, 2:], x.amax(1, keepdim=True).to(fixed.dtype)], 1)
        return pooled, layers, dots[:, :2], top

    def weights(self, pooled: Tensor, layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A_c, A_s, and the rows u ⊙ A_c and w ⊙ A_c as (N, 2, C)."""
        with _small_convolutions():
            channel, spatial = self.gates(pooled, layers)
        c = self.activation.in_channels
        rows = torch.stack([self.gate.weight.flatten()[:c], self.activation.weight.flatten()])
        return channel, spatial, rows * channel.flatten(1)[:, None]

    def blend(self, modulated: Tensor, dots: Tensor, spatial: Tensor) -> tuple[Tensor, Tensor]:
        """From [e_u; e_w] and [d_v; d_w], each (N, 2, H, W), to P and Q, each (N, 1, H, W)."""
        e_u, e_w = modulated.split(1, 1)
        d_v, d_w = dots.split(1, 1)
        gate = torch.sigmoid(e_u + spatial * d_v + self.gate.bias)
        rest = (1 - gate) * spatial
        alpha = self.scale * torch.sigmoid(gate * e_w + rest * d_w + self.activation.bias)
        return alpha * gate, alpha * rest


class _Attend(torch.autograd.Function):
    """The fast form with its backward: X, dY and two scratch tensors; autograd only for what is small."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: _SmallGraph, *parameters: Tensor) -> Tensor:
        with torch.enable_grad():
            fixed = graph.fixed()
        *looked, top = graph.look(x, fixed.detach())
        pooled, layers, dots = (value.requires_grad_() for value in looked)
        with torch.enable_grad():
            channel, spatial, weights = graph.weights(pooled, layers)
        # Cut here: the gradient of what follows has to meet X before it enters what precedes.
        modulated = _dot(weights.detach(), x).requires_grad_()
        cut = spatial.detach().requires_grad_()
        with torch.enable_grad():
            p, q = graph.blend(modulated, dots, cut)
        ctx.save_for_backward(x)
        ctx.small = (pooled, layers, top, channel, spatial, weights, fixed, modulated, dots, cut, p, q)
        ctx.learnt = [parameter for parameter in parameters if parameter.requires_grad]
        ctx.parameters = parameters
        return _scale(channel.detach(), p.detach(), q.detach(), x.dtype, out=torch.empty_like(x)).mul_(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # only with create_graph=True
            raise RuntimeError("DMSCA(form='fast') has no second derivative: use form='literal'")
        with torch.autocast(dy.device.type, enabled=False):
            return _Attend.gradients(ctx, dy)

    @staticmethod
    def gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """What backward returns: the gradient of X, nothing for the graph, those of the parameters."""
        x, = ctx.saved_tensors
        pooled, layers, top, channel, spatial, weights, fixed, modulated, dots, cut, p, q = ctx.small

        # Y = X ⊙ (P ⊙ A_c + Q)
        product = torch.mul(dy, x, out=torch.empty_like(x))
        rows = torch.cat([channel, torch.ones_like(channel)], 2).squeeze(3).transpose(1, 2).detach()
        d_p, d_q = _dot(rows, product).split(1, 1)
        d_channel = _dot_pixels(p.detach(), product).transpose(1, 2).unsqueeze(3)

        # P, Q from the dot products, those from X
        d_modulated, d_dots, d_spatial, *d_last = _gradients(
            (p, q), (modulated, dots, cut, *ctx.learnt), (d_p, d_q))
        d_rows = torch.cat([d_modulated, d_dots], 1)
        d_weights, d_fixed = _dot_pixels(d_rows, x).split(2, 1)

        # A_c, A_s from the pools
        with _small_convolutions():
            d_pooled, d_layers, *d_first = _gradients(
                (channel, spatial, weights, fixed), (pooled, layers, *ctx.learnt),
                (d_channel, d_spatial, d_weights, d_fixed.sum(0)))
        d_learnt = iter([_sum(first, last) for first, last in zip(d_first, d_last, strict=True)])
        d_parameters = [next(d_learnt) if parameter.requires_grad else None for parameter in ctx.parameters]
        if not ctx.needs_input_grad[0]:
            return None, None, *d_parameters

        n, c, h, w = x.shape
        # The maxima share their gradient evenly, as amax's own backward does.
        d_x = torch.eq(x, layers[:, 1:].detach(), out=product)
        d_x.mul_(d_layers[:, 1:] / d_x.sum(1, keepdim=True))
        scratch = torch.eq(x, top, out=torch.empty_like(x))
        d_x.addcmul_(scratch, (d_pooled / scratch.sum((2, 3), keepdim=True)).to(x.dtype))
        # The dot products and both means are of rank one each.
        columns = torch.cat([weights.detach(), fixed.detach().expand(n, -1, -1), fixed.new_full((n, 1, c), 1 / c),
                             d_pooled.flatten(1)[:, None] / (h * w)], 1).transpose(1, 2)
        pixels = torch.cat([d_rows, d_layers[:, :1], torch.ones_like(p)], 1).flatten(2)
        d_x.flatten(2).baddbmm_(columns.to(x.dtype), pixels.to(x.dtype))
        d_x.addcmul_(dy, _scale(channel.detach(), p.detach(), q.detach(), x.dtype, out=scratch))
        return d_x, None, *d_parameters


def _small_convolutions() -> AbstractContextManager[None]:
    """On the CPU, oneDNN takes three times as long as plain loops over two channels; its set-up alone costs more."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return nullcontext()
    return _without_onednn()


@contextmanager
def _without_onednn() -> Iterator[None]:
    # Not mkldnn.flags: it switches TF32 on by default, which warns where there is none.
    before = torch.backends.mkldnn.set_flags(False)
    try:
        yield
    finally:
        torch.backends.mkldnn.set_flags(*before)


def _gradients(outputs: tuple[Tensor, ...], inputs: tuple[Tensor, ...], by: tuple[Tensor, ...]) -> list[Tensor | None]:
    """Gradients of a small graph; kept for a second call, since the caller may keep his own graph."""
    used = [(output, d) for output, d in zip(outputs, by, strict=True) if output.requires_grad]
    return list(torch.autograd.grad([o for o, _ in used], inputs, [d for _, d in used], retain_graph=True,
                                    allow_unused=True))


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)


def _dot(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over channels: rows (N, R, C) with X (N, C, H, W) give (N, R, H, W), in the rows' dtype."""
    return (rows.to(x.dtype) @ x.flatten(2)).to(rows.dtype).unflatten(2, x.shape[2:])


def _dot_pixels(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over pixels: rows (N, R, H, W) with X (N, C, H, W) give (N, R, C), in the rows' dtype."""
    return (rows.flatten(2).to(x.dtype) @ x.flatten(2).transpose(1, 2)).to(rows.dtype)


def _scale(channel: Tensor, p: Tensor, q: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """P ⊙ A_c + Q, (N, C, H, W): the one large tensor."""
    return torch.addcmul(q.to(dtype), p.to(dtype), channel.to(dtype), out=out)
