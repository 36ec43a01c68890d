"""DMSCA's fast form: the same function as the literal one, with three looks at X and one large tensor written.

Gate and activation are linear in X before their σ, so no weighted copy of X is ever made. With u, v the halves of the
gate's weight, w the activation's weight and x_p the channels of pixel p::

    look 1    pooled = avgpool(X) + maxpool(X);  D = [mean_C X; max_C X];  d_v = v·x_p,  d_w = w·x_p
    small     A_c = tca(gce(pooled));  A_s = msce(D, dii(D))
    look 2    e_u = (u ⊙ A_c)·x_p,  e_w = (w ⊙ A_c)·x_p
    small     G = σ(e_u + A_s·d_v + b);  α = s·σ(G·e_w + (1 − G)·A_s·d_w + b');  P = α·G,  Q = α·(1 − G)·A_s
    look 3    Y = X ⊙ (P ⊙ A_c + Q)

Training keeps X and nothing else: backward looks at it once more and rebuilds what is small.
Small tensors have the parameters' dtype (under autocast fp32), X keeps its own.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import fused
from .steps import Gates, Steps, gradients, refuse_second_derivative, with_parameters


def attend(x: Tensor, branches: Gates, gate: nn.Conv2d, activation: nn.Conv2d, scale: float, owner: nn.Module,
           kernels: bool) -> Tensor:
    """Y of DMSCA.

    Args:
        x: X, (N, C, H, W), floating point.
        branches: the small graph of the channel and the spatial branch.
        gate: the 1×1 convolution 2C→1 of the dynamic feature fusion.
        activation: the 1×1 convolution C→1 of the adaptive activation.
        scale: s, the upper end of the activation's range.
        owner: the module that holds every parameter, those of ``branches`` too.
        kernels: whether a GPU's kernels may do it.
    """
    if not _is_dense(x):
        x = x.contiguous()
    steps = Steps(branches, gate, activation, scale)
    with torch.autocast(x.device.type, enabled=False):
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return x * _scale(*_maps(x, steps), x.dtype)  # a compiler fuses this and derives the backward
        use_kernels = kernels and fused.wanted(x, steps.dtype)
        if torch.is_grad_enabled():
            parameters = list(owner.parameters())
            if x.requires_grad or any(parameter.requires_grad for parameter in parameters):
                return (fused.Attend if use_kernels else _Attend).apply(x, steps, owner, *parameters)
        return fused.forward(x, steps) if use_kernels else _forward(x, steps)


def _pools(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled and maxpool(X), each (N, C, 1, 1), and max_C X, (N, 1, H, W)."""
    top = x.amax((2, 3), keepdim=True)
    return x.mean((2, 3), keepdim=True).to(dtype) + top.to(dtype), top, x.amax(1, keepdim=True)


def _fixed_dots(fixed: Tensor, x: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
    """[d_v; d_w] and D, each (N, 2, H, W), from the rows v, w and 1/C."""
    dots = _dot(fixed.expand(x.shape[0], -1, -1), x)
    return dots[:, :2], torch.cat([dots[:, 2:], peak.to(dots.dtype)], 1)


def _fixed(v: Tensor, w: Tensor) -> Tensor:
    """The rows v, w and 1/C, (3, C): the mean over channels is a dot product as well."""
    return torch.stack([v, w, torch.full_like(w, 1 / len(w))])


def _modulated(u: Tensor, w: Tensor, channel: Tensor) -> Tensor:
    """The rows u ⊙ A_c and w ⊙ A_c, (N, 2, C)."""
    return torch.stack([u, w]) * channel.flatten(1)[:, None]


def _maps(x: Tensor, steps: Steps) -> tuple[Tensor, Tensor, Tensor]:
    """A_c, P and Q."""
    u, v, w = steps.rows()
    pooled, _, peak = _pools(x, steps.dtype)
    fixed_dots, layers = _fixed_dots(_fixed(v, w), x, peak)
    channel, spatial = steps.gates(pooled, layers)
    return channel, *steps.blend(_dot(_modulated(u, w, channel), x), fixed_dots, spatial)


def _forward(x: Tensor, steps: Steps) -> Tensor:
    """Y."""
    return _scale(*_maps(x, steps), x.dtype, out=torch.empty_like(x)).mul_(x)


class _Attend(torch.autograd.Function):
    """The fast form with its backward, whose only large tensors are dX and one of scratch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: Steps, owner: nn.Module, *parameters: Tensor) -> Tensor:
        ctx.steps, ctx.owner = steps, owner
        ctx.save_for_backward(x, *parameters)
        return _forward(x, steps)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        x, *parameters = ctx.saved_tensors
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        with torch.autocast(dy.device.type, enabled=False):
            d_x, d_learnt = with_parameters(ctx.owner, parameters, lambda: _backward(
                ctx.steps, x, dy, learnt, ctx.needs_input_grad[0]))
        return d_x, None, None, *(next(d_learnt) if parameter.requires_grad else None for parameter in parameters)


def _backward(steps: Steps, x: Tensor, dy: Tensor, learnt: list[Tensor],
              needs_d_x: bool) -> tuple[Tensor | None, Iterator[Tensor | None]]:
    """Gradients of X, if it is needed, and of the learnt parameters."""
    # The small graph once more, cut where a gradient has to meet X before it goes on.
    pooled, top, peak = _pools(x, steps.dtype)
    pooled.requires_grad_()
    with torch.enable_grad():
        u, v, w = steps.rows()
        fixed = _fixed(v, w)
    fixed_dots, layers = (small.requires_grad_() for small in _fixed_dots(fixed.detach(), x, peak))
    with torch.enable_grad():
        channel, spatial = steps.gates(pooled, layers)
        modulated = _modulated(u, w, channel)
    modulated_dots, cut = _dot(modulated.detach(), x).requires_grad_(), spatial.detach().requires_grad_()
    with torch.enable_grad():
        p, q = steps.blend(modulated_dots, fixed_dots, cut)

    # Y = X ⊙ (P ⊙ A_c + Q)
    product = torch.mul(dy, x, out=torch.empty_like(x))
    rows = torch.cat([channel, torch.ones_like(channel)], 2).squeeze(3).transpose(1, 2).detach()
    d_p, d_q = _dot(rows, product).split(1, 1)
    d_channel = _dot_pixels(p.detach(), product).transpose(1, 2).unsqueeze(3)

    # P, Q from the dot products, those from X
    d_modulated_dots, d_fixed_dots, d_spatial, *d_last = gradients(
        (p, q), (modulated_dots, fixed_dots, cut, *learnt), (d_p, d_q))
    d_rows = torch.cat([d_modulated_dots, d_fixed_dots], 1)
    d_modulated, d_fixed = _dot_pixels(d_rows, x).split(2, 1)

    # A_c, A_s from the pools; the row 1/C learns nothing
    d_pooled, d_layers, *d_first = gradients(
        (channel, spatial, modulated, fixed), (pooled, layers, *learnt),
        (d_channel, d_spatial, d_modulated, functional.pad(d_fixed.sum(0), (0, 0, 0, 1))))
    d_learnt = (_sum(first, last) for first, last in zip(d_first, d_last, strict=True))
    if not needs_d_x:
        return None, d_learnt

    n, _, h, w = x.shape
    # The maxima share their gradient evenly, as amax's own backward does.
    d_x = torch.eq(x, peak, out=product)
    d_x.mul_(d_layers[:, 1:] / d_x.sum(1, keepdim=True))
    scratch = torch.eq(x, top, out=torch.empty_like(x))
    d_x.addcmul_(scratch, (d_pooled / scratch.sum((2, 3), keepdim=True)).to(x.dtype))
    # The dot products and both means are of rank one each.
    columns = torch.cat([modulated.detach(), fixed.detach().expand(n, -1, -1),
                         d_pooled.flatten(1)[:, None] / (h * w)], 1).transpose(1, 2)
    pixels = torch.cat([d_rows, d_layers[:, :1], torch.ones_like(p)], 1).flatten(2)
    d_x.flatten(2).baddbmm_(columns.to(x.dtype), pixels.to(x.dtype))
    d_x.addcmul_(dy, _scale(channel.detach(), p.detach(), q.detach(), x.dtype, out=scratch))
    return d_x, d_learnt


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
