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

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

# From pooled, (N, C, 1, 1), and D, (N, 2, H, W), to A_c, (N, C, 1, 1), and A_s, (N, 1, H, W).
Gates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def attend(x: Tensor, gates: Gates, gate: nn.Conv2d, activation: nn.Conv2d, scale: float,
           owner: nn.Module) -> Tensor:
    """Y of DMSCA.

    Args:
        x: X, (N, C, H, W), floating point.
        gates: the small graph of the channel and the spatial branch.
        gate: the 1×1 convolution 2C→1 of the dynamic feature fusion.
        activation: the 1×1 convolution C→1 of the adaptive activation.
        scale: s, the upper end of the activation's range.
        owner: the module that holds every parameter, those of ``gates`` too.
    """
    if not _is_dense(x):
        x = x.contiguous()
    steps = _Steps(gates, gate, activation, scale)
    with torch.autocast(x.device.type, enabled=False):
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return x * _scale(*steps.maps(x), x.dtype)  # a compiler fuses this and derives the backward
        if torch.is_grad_enabled():
            parameters = list(owner.parameters())
            if x.requires_grad or any(parameter.requires_grad for parameter in parameters):
                return _Attend.apply(x, steps, owner, *parameters)
        return _forward(x, steps)


class _Steps:
    """The steps in the head of this file."""

    def __init__(self, gates: Gates, gate: nn.Conv2d, activation: nn.Conv2d, scale: float) -> None:
        self.gates, self.gate, self.activation, self.scale = gates, gate, activation, scale

    def pools(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled and maxpool(X), each (N, C, 1, 1), and max_C X, (N, 1, H, W)."""
        dtype = self.gate.weight.dtype
        top = x.amax((2, 3), keepdim=True)
        return x.mean((2, 3), keepdim=True).to(dtype) + top.to(dtype), top, x.amax(1, keepdim=True)

    def fixed(self) -> Tensor:
        """The rows v and w, (2, C)."""
        c = self.activation.in_channels
        return torch.stack([self.gate.weight.flatten()[c:], self.activation.weight.flatten()])

    def fixed_dots(self, fixed: Tensor, x: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
        """[d_v; d_w] and D, each (N, 2, H, W)."""
        dots = _dot(_with_mean(fixed).expand(x.shape[0], -1, -1), x)
        return dots[:, :2], torch.cat([dots[:, 2:], peak.to(dots.dtype)], 1)

    def modulated(self, channel: Tensor) -> Tensor:
        """The rows u ⊙ A_c and w ⊙ A_c, (N, 2, C)."""
        c = self.activation.in_channels
        rows = torch.stack([self.gate.weight.flatten()[:c], self.activation.weight.flatten()])
        return rows * channel.flatten(1)[:, None]

    def blend(self, modulated: Tensor, fixed: Tensor, spatial: Tensor) -> tuple[Tensor, Tensor]:
        """From [e_u; e_w] and [d_v; d_w], each (N, 2, H, W), to P and Q, each (N, 1, H, W)."""
        e_u, e_w = modulated.split(1, 1)
        d_v, d_w = fixed.split(1, 1)
        gate = torch.addcmul(e_u + self.gate.bias, spatial, d_v).sigmoid()
        rest = torch.addcmul(spatial, gate, spatial, value=-1)
        alpha = self.scale * torch.addcmul(torch.addcmul(self.activation.bias, gate, e_w), rest, d_w).sigmoid()
        return alpha * gate, alpha * rest

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A_c, P and Q."""
        pooled, _, peak = self.pools(x)
        fixed_dots, layers = self.fixed_dots(self.fixed(), x, peak)
        with _small_convolutions():
            channel, spatial = self.gates(pooled, layers)
        return channel, *self.blend(_dot(self.modulated(channel), x), fixed_dots, spatial)


def _forward(x: Tensor, steps: _Steps) -> Tensor:
    """Y."""
    return _scale(*steps.maps(x), x.dtype, out=torch.empty_like(x)).mul_(x)


class _Attend(torch.autograd.Function):
    """The fast form with its backward, whose only large tensors are dX and one of scratch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: _Steps, owner: nn.Module, *parameters: Tensor) -> Tensor:
        ctx.steps, ctx.owner = steps, owner
        ctx.save_for_backward(x, *parameters)
        return _forward(x, steps)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # only with create_graph=True
            raise RuntimeError("DMSCA(form='fast') has no second derivative: use form='literal'")
        x, *parameters = ctx.saved_tensors
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        with torch.autocast(dy.device.type, enabled=False):
            d_x, d_learnt = _with_parameters(ctx.owner, parameters, lambda: _backward(
                ctx.steps, x, dy, learnt, ctx.needs_input_grad[0]))
        return d_x, None, None, *(next(d_learnt) if parameter.requires_grad else None for parameter in parameters)


def _backward(steps: _Steps, x: Tensor, dy: Tensor, learnt: list[Tensor],
              needs_d_x: bool) -> tuple[Tensor | None, Iterator[Tensor | None]]:
    """Gradients of X, if it is needed, and of the learnt parameters."""
    # The small graph once more, cut where a gradient has to meet X before it goes on.
    pooled, top, peak = steps.pools(x)
    pooled.requires_grad_()
    with torch.enable_grad():
        fixed = steps.fixed()
    fixed_dots, layers = (small.requires_grad_() for small in steps.fixed_dots(fixed.detach(), x, peak))
    with torch.enable_grad(), _small_convolutions():
        channel, spatial = steps.gates(pooled, layers)
        modulated = steps.modulated(channel)
    modulated_dots, cut = _dot(modulated.detach(), x).requires_grad_(), spatial.detach().requires_grad_()
    with torch.enable_grad():
        p, q = steps.blend(modulated_dots, fixed_dots, cut)

    # Y = X ⊙ (P ⊙ A_c + Q)
    product = torch.mul(dy, x, out=torch.empty_like(x))
    rows = torch.cat([channel, torch.ones_like(channel)], 2).squeeze(3).transpose(1, 2).detach()
    d_p, d_q = _dot(rows, product).split(1, 1)
    d_channel = _dot_pixels(p.detach(), product).transpose(1, 2).unsqueeze(3)

    # P, Q from the dot products, those from X
    d_modulated_dots, d_fixed_dots, d_spatial, *d_last = _gradients(
        (p, q), (modulated_dots, fixed_dots, cut, *learnt), (d_p, d_q))
    d_rows = torch.cat([d_modulated_dots, d_fixed_dots], 1)
    d_modulated, d_fixed = _dot_pixels(d_rows, x).split(2, 1)

    # A_c, A_s from the pools
    with _small_convolutions():
        d_pooled, d_layers, *d_first = _gradients(
            (channel, spatial, modulated, fixed), (pooled, layers, *learnt),
            (d_channel, d_spatial, d_modulated, d_fixed.sum(0)))
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
    columns = torch.cat([modulated.detach(), _with_mean(fixed.detach()).expand(n, -1, -1),
                         d_pooled.flatten(1)[:, None] / (h * w)], 1).transpose(1, 2)
    pixels = torch.cat([d_rows, d_layers[:, :1], torch.ones_like(p)], 1).flatten(2)
    d_x.flatten(2).baddbmm_(columns.to(x.dtype), pixels.to(x.dtype))
    d_x.addcmul_(dy, _scale(channel.detach(), p.detach(), q.detach(), x.dtype, out=scratch))
    return d_x, d_learnt


class _Holder(nn.Module):
    """Runs a function while the module it holds has other parameters, by way of ``functional_call``."""

    def __init__(self, owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner

    def forward(self, function: Callable[[], Any]) -> Any:
        return function()


def _with_parameters(owner: nn.Module, parameters: list[Tensor], function: Callable[[], Any]) -> Any:
    """What a function gives with the parameters of the forward: ``functional_call`` has taken its own back by now."""
    names, own = zip(*owner.named_parameters(), strict=True)
    if all(now is then for now, then in zip(own, parameters, strict=True)):
        return function()
    then = {f'owner.{name}': parameter for name, parameter in zip(names, parameters, strict=True)}
    return torch.func.functional_call(_Holder(owner), then, (function,))


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
    """Gradients of a small graph, None where an input has no part in it."""
    used = [(output, d) for output, d in zip(outputs, by, strict=True) if output.requires_grad]
    return list(torch.autograd.grad([o for o, _ in used], inputs, [d for _, d in used], allow_unused=True))


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)


def _with_mean(fixed: Tensor) -> Tensor:
    """The rows v, w and 1/C, (3, C): the mean over channels is a dot product as well."""
    return torch.cat([fixed, fixed.new_full((1, fixed.shape[1]), 1 / fixed.shape[1])])


def _dot(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over channels: rows (N, R, C) with X (N, C, H, W) give (N, R, H, W), in the rows' dtype."""
    return (rows.to(x.dtype) @ x.flatten(2)).to(rows.dtype).unflatten(2, x.shape[2:])


def _dot_pixels(rows: Tensor, x: Tensor) -> Tensor:
    """Dot products over pixels: rows (N, R, H, W) with X (N, C, H, W) give (N, R, C), in the rows' dtype."""
    return (rows.flatten(2).to(x.dtype) @ x.flatten(2).transpose(1, 2)).to(rows.dtype)


def _scale(channel: Tensor, p: Tensor, q: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """P ⊙ A_c + Q, (N, C, H, W): the one large tensor."""
    return torch.addcmul(q.to(dtype), p.to(dtype), channel.to(dtype), out=out)
