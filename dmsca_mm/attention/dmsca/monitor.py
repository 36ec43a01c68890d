"""Training statistics of DMSCA modules: temperature, gates, gradient norm."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .module import DMSCA

MAPS = ('channel', 'spatial', 'gate', 'activation')
"""The maps of :class:`dmsca_mm.attention.dmsca.Explanation` whose mean and spread are logged."""


class Watch:
    """Inputs and squared gradients of the DMSCA modules of a model in one training step.

    Attributes:
        inputs: for each module name, the first image of its input, (1, C, H, W), detached.
        squares: for each module name, the sum of the squared gradients of its parameters, as computed in this process.
            They are those of each backward pass, without gradients that earlier steps accumulated; several passes add
            up their squares.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules = {name: module for name, module in model.named_modules() if isinstance(module, DMSCA)}
        self.inputs: dict[str, Tensor] = {}
        self.squares: dict[str, Tensor] = {}

    def statistics(self, loss_scale: float = 1.0) -> dict[str, float]:
        """Return all statistics by name, such as ``backbone.layer2.0.dmsca/gate_mean``.

        Args:
            loss_scale: factor by which mixed precision multiplied the loss, above 0.

        Returns:
            for each module that ran: ``temperature``, mean and standard deviation of each of ``MAPS`` over the first
            image, and ``gradient_norm`` if it had a gradient. A model that was compiled and called before it is
            watched has only ``gradient_norm``: its graph does not call hooks on modules.
        """
        found = {}
        for name, module in self.modules.items():
            if name in self.inputs:
                explanation = module.explain(self.inputs[name])
                found[f'{name}/temperature'] = explanation.temperature
                for kind in MAPS:
                    values = getattr(explanation, kind).float()
                    found[f'{name}/{kind}_mean'] = values.mean().item()
                    found[f'{name}/{kind}_spread'] = values.std(correction=0).item()
            if name in self.squares:
                found[f'{name}/gradient_norm'] = self.squares[name].sqrt().item() / loss_scale
        return found


@contextmanager
def watching(model: nn.Module) -> Iterator[Watch]:
    """Watch the training steps inside the ``with`` block, with hooks that are removed at its end.

    Args:
        model: contains any number of DMSCA modules at any depth.
    """
    watch, handles = Watch(model), []
    for name, module in watch.modules.items():
        def keep_input(module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor],
                       name: str = name) -> None:
            # A clone, as a view would keep the whole batch, which activation checkpointing frees.
            watch.inputs[name] = (*inputs, *named.values())[0][:1].detach().clone()

        def add_square(gradient: Tensor, name: str = name) -> None:
            square = gradient.detach().float().square().sum()
            watch.squares[name] = watch.squares.get(name, torch.zeros_like(square)) + square
        handles.append(module.register_forward_pre_hook(keep_input, with_kwargs=True))
        # Not the accumulated parameter.grad, but this pass's gradient, summed over all uses of the parameter.
        handles += [parameter.register_hook(add_square) for parameter in module.parameters() if parameter.requires_grad]
    try:
        yield watch
    finally:
        for handle in handles:
            handle.remove()
