"""The base class of the peers: argument checks, gate and initialization."""
from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from .. import checks

INITS = ('identity', 'paper')


class GatedAttention(nn.Module):
    """An attention that multiplies its input by gates, or adds to it, under DMSCA's interface.

    Args:
        in_channels: C of the input, at least 1.
        init: ``'identity'`` or ``'paper'``; :mod:`dmsca_mm.attention.peers` defines both.

    Shapes:
        input (N, C, H, W), floating point, N >= 0, H and W >= 1, any memory format; the output has the input's shape,
        dtype, device and memory format.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; a forward input with another shape or a non-floating dtype.
    """

    _last: ClassVar[tuple[str, ...]]
    """Names of the layers, convolutions or norms, whose weights ``init='identity'`` sets to zero so that Y = X."""

    def __init__(self, in_channels: int, init: str) -> None:
        super().__init__()
        self.in_channels = checks.positive_int('in_channels', in_channels)
        self.init = checks.one_of('init', init, INITS)
        self.scale = 2.0 if self.init == 'identity' else 1.0

    def init_weights(self) -> None:
        """Restore the constructor's initialization, including batch norms and their statistics.

        A ResNet built with ``init_cfg=None`` applies Kaiming to all its convolutions and then calls this method.
        """
        mode = 'fan_in' if self.init == 'identity' else 'fan_out'
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity='relu')
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
                module.reset_parameters()
        if self.init == 'identity':
            for name in self._last:
                nn.init.zeros_(self.get_submodule(name).weight)

    def gate(self, logits: Tensor) -> Tensor:
        """``s·σ(logits)``; s is 2 with ``init='identity'``, 1 in the papers' form."""
        return self.scale * torch.sigmoid(logits)


class GroupNorm(nn.GroupNorm):
    """Group norm that also takes groups of one value, whose normalized value is 0; PyTorch's raises for them."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize X, (N, C, ...)."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
