"""``dmsca_mm::attend`` and its backward as PyTorch operators: one node each for autograd and for compilers.

A call uses the native kernels in ``cpu/`` or ``triton/`` if they cover it, otherwise the rearranged form. All three
compute the same function and save the same ``ForwardStats``.
"""
from __future__ import annotations

import os
import warnings
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import cpu, exported, rearranged, triton
from .signature import LISTS, ForwardStats, Parameters

SWITCH = 'DMSCA_KERNELS'
"""Environment variable; 0 disables the native kernels."""

_warned: set[str] = set()


def attend(x: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """Compute Y in the fast form of DMSCA.

    Args:
        x: X, (N, C, H, W), floating point, any memory format.
        parameters: of the module.
        scale: s, the upper end of A_c, A_s and α.
    """
    if _exporting() or torch.jit.is_tracing():  # the graph has to run without this package
        return exported.attend(x, parameters, scale)
    # torch.func transforms and forward-mode derivatives have rules for PyTorch's own operators only.
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return rearranged.attend(x, parameters, scale)[0]
    return torch.ops.dmsca_mm.attend.default(x, *parameters, scale)[0]


def _exporting() -> bool:
    """``torch.compiler.is_exporting()``, which torch 2.4 lacks and torch.compile of torch 2.11 evaluates as true."""
    return getattr(torch.compiler, '_is_exporting_flag', False)


def _declare(names: tuple[str, ...], prefix: str = '') -> str:
    """Return the schema declaration of tensors with these names."""
    return ', '.join(f'Tensor{"[]" * (name in LISTS)} {prefix}{name}' for name in names)


_KEPT = len(ForwardStats._fields)
_PARAMETERS, _STATS = _declare(Parameters._fields), _declare(ForwardStats._fields)
_GRADIENTS = _declare(Parameters._fields, 'd_')
torch.library.define('dmsca_mm::attend', f'(Tensor x, {_PARAMETERS}, float scale) -> (Tensor y, {_STATS})')
torch.library.define('dmsca_mm::attend_backward',
                     f'(Tensor dy, Tensor x, {_STATS}, {_PARAMETERS}, float scale) -> (Tensor dx, {_GRADIENTS})')


@torch.library.impl('dmsca_mm::attend', 'CompositeExplicitAutograd')
def _attend(x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    parameters, scale, dense = Parameters(*arguments[:-1]), arguments[-1], _dense(x)
    y, stats = _kernels(dense, parameters).attend(dense, parameters, scale)
    return _laid_out_as(x, y), *stats


@torch.library.impl('dmsca_mm::attend_backward', 'CompositeExplicitAutograd')
def _attend_backward(dy: Tensor, x: Tensor, *arguments: Any) -> tuple[Tensor | list[Tensor], ...]:
    stats, parameters, scale = ForwardStats(*arguments[:_KEPT]), Parameters(*arguments[_KEPT:-1]), arguments[-1]
    dense, dtype = _dense(x), parameters.stats_dtype(x)
    # Hooks on saved tensors may return them in another memory format or dtype; the kernels read memory.
    stats = ForwardStats(*(each.to(dtype).contiguous() for each in stats))
    format_ = torch.contiguous_format if dense.is_contiguous() else torch.channels_last
    dy = dy.expand_as(x).to(x.dtype).contiguous(memory_format=format_)
    dx, gradients = _kernels(dense, parameters).attend_backward(dy, dense, stats, parameters, scale)
    return _laid_out_as(x, dx), *gradients


@torch.library.register_fake('dmsca_mm::attend')
def _attend_fake(x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    parameters = Parameters(*arguments[:-1])
    n, c, h, w = x.shape
    hidden = parameters.gce_fc1_weight.shape[0]
    shapes = ForwardStats((n, c), (n, c), (n, hidden), (n, c), (n, 2, h, w))
    return torch.empty_like(x), *(x.new_empty(shape, dtype=parameters.stats_dtype(x)) for shape in shapes)


@torch.library.register_fake('dmsca_mm::attend_backward')
def _attend_backward_fake(dy: Tensor, x: Tensor, *arguments: Any) -> tuple[Tensor | list[Tensor], ...]:
    parameters = Parameters(*arguments[_KEPT:-1])
    return torch.empty_like(x), *parameters.nest([torch.empty_like(tensor) for tensor in parameters.flat()])


class _Attend(torch.autograd.Function):
    """The operator with its derivative; ``register_autograd`` would have several times the overhead."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, branches: int, *flat: Tensor) -> tuple[Tensor, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            y, *stats = torch.ops.dmsca_mm.attend.default(x, *Parameters.of(flat, branches), scale)
        ctx.scale, ctx.branches = scale, branches
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*stats)
        ctx.save_for_backward(x, *stats, *flat)
        return y, *stats

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        if dy is None:
            return (None,) * len(ctx.needs_input_grad)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            _refuse_second_derivative()
        x, *saved = ctx.saved_tensors
        with torch._C._AutoDispatchBelowAutograd():
            dx, *gradients = torch.ops.dmsca_mm.attend_backward.default(
                dy, x, *saved[:_KEPT], *Parameters.of(saved[_KEPT:], ctx.branches), ctx.scale)
        return dx, None, None, *Parameters(*gradients).flat()


@torch.library.impl('dmsca_mm::attend', 'Autograd')
def _attend_autograd(x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    parameters, scale = Parameters(*arguments[:-1]), arguments[-1]
    flat = parameters.flat()
    if torch.is_grad_enabled() and (x.requires_grad or any(tensor.requires_grad for tensor in flat)):
        return _Attend.apply(x, scale, len(parameters.msce_convs_weight), *flat)
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.dmsca_mm.attend.default(x, *arguments)


def _refuse_second_derivative(*_: Any) -> None:
    raise RuntimeError("DMSCA(form='fast') has no second derivative: use form='literal'")


torch.library.register_autograd('dmsca_mm::attend_backward', _refuse_second_derivative)


def _refuse_batched_gradients(*_: Any) -> None:
    raise RuntimeError("DMSCA(form='fast') takes one dY at a time (is_grads_batched, vectorize): use form='literal'")


for _key in ('Batched', 'FuncTorchBatched'):  # of torch.autograd and of torch.func
    torch.library.impl('dmsca_mm::attend_backward', _key, _refuse_batched_gradients)


def _kernels(x: Tensor, parameters: Parameters) -> ModuleType:
    """Return the module that computes this call; warn once for each reason why native kernels do not cover a call."""
    native = cpu if x.is_cpu else triton if x.is_cuda else None
    if native is None or x.numel() == 0 or os.environ.get(SWITCH) == '0' or not parameters.fit(x.shape[1]):
        return rearranged  # PyTorch raises if the sizes do not fit
    reason = native.not_covered(x, parameters)
    if reason is None:
        return native
    if reason not in _warned:
        _warned.add(reason)
        warnings.warn(f"DMSCA runs without its native {x.device.type.upper()} kernels, slower with the same result: "
                      f"{reason}. {SWITCH}=0 switches them off silently", stacklevel=2)
    return rearranged


def _dense(x: Tensor) -> Tensor:
    """Return X if it is contiguous in NCHW or channels_last, otherwise an NCHW copy."""
    return x if x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last) else x.contiguous()


def _laid_out_as(x: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` with the strides of ``empty_like(x)``, as the fake implementation declares."""
    return value if _dense(x) is x else torch.empty_like(x).copy_(value)
