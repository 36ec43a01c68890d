"""What the fast form computes on small tensors, and what both its backwards need."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# From pooled, (N, C, 1, 1), and D, (N, 2, H, W), to A_c, (N, C, 1, 1), and A_s, (N, 1, H, W).
Gates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Steps:
    """The small steps in the head of ``fast.py``.

    Attributes:
        branches: the small graph of the channel and the spatial branch.
        gate: the 1×1 convolution 2C→1 of the dynamic feature fusion.
        activation: the 1×1 convolution C→1 of the adaptive activation.
        scale: s, the upper end of the activation's range.
    """

    branches: Gates
    gate: nn.Conv2d
    activation: nn.Conv2d
    scale: float

    @property
    def dtype(self) -> torch.dtype:
        """That of the parameters, and so of small tensors."""
        return self.gate.weight.dtype

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """u, v and w, each (C,)."""
        return *self.gate.weight.flatten().chunk(2), self.activation.weight.flatten()

    def gates(self, pooled: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """A_c, (N, C, 1, 1), from pooled, (N, C, 1, 1), and A_s, (N, 1, H, W), from D, (N, 2, H, W)."""
        with _small_convolutions():
            return self.branches(pooled, layers)

    def blend(self, modulated: Tensor, fixed: Tensor, spatial: Tensor) -> tuple[Tensor, Tensor]:
        """From [e_u; e_w] and [d_v; d_w], each (N, 2, H, W), to P and Q, each (N, 1, H, W)."""
        e_u, e_w = modulated.split(1, 1)
        d_v, d_w = fixed.split(1, 1)
        gate = torch.addcmul(e_u + self.gate.bias, spatial, d_v).sigmoid()
        rest = torch.addcmul(spatial, gate, spatial, value=-1)
        alpha = self.scale * torch.addcmul(torch.addcmul(self.activation.bias, gate, e_w), rest, d_w).sigmoid()
        return alpha * gate, alpha * rest


def gradients(outputs: tuple[Tensor, ...], inputs: tuple[Tensor, ...], by: tuple[Tensor, ...]) -> list[Tensor | None]:
    """Gradients of a small graph, None where an input has no part in it."""
    used = [(output, d) for output, d in zip(outputs, by, strict=True) if output.requires_grad]
    with _small_convolutions():
        return list(torch.autograd.grad([o for o, _ in used], inputs, [d for _, d in used], allow_unused=True))


def refuse_second_derivative() -> None:
    """Called in a backward.

    Raises:
        RuntimeError: it runs with ``create_graph=True``.
    """
    if torch.is_grad_enabled():
        raise RuntimeError("DMSCA(form='fast') has no second derivative: use form='literal'")


class _Holder(nn.Module):
    """Runs a function while the module it holds has other parameters, by way of ``functional_call``."""

    def __init__(self, owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner

    def forward(self, function: Callable[[], Any]) -> Any:
        return function()


def with_parameters(owner: nn.Module, parameters: list[Tensor], function: Callable[[], Any]) -> Any:
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
