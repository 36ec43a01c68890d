"""What the peers share: the checks of their arguments, the gate and the initialization."""
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
        ValueError: an argument out of range; a forward input of another shape or kind.
    """

    _last: ClassVar[tuple[str, ...]]
    """The layers whose zero weights make every gate 1: those before the gates, and where these are norms, the norms."""

    def __init__(self, in_channels: int, init: str) -> None:
        super().__init__()
        self.in_channels = checks.positive_int('in_channels', in_channels)
        self.init = checks.one_of('init', init, INITS)
        self.scale = 2.0 if self.init == 'identity' else 1.0

    def init_weights(self) -> None:
        """Restore the constructor's initialization, batch norms and their statistics included.

        A ResNet built with ``init_cfg=None`` applies Kaiming to every convolution below it and calls this afterwards.
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
