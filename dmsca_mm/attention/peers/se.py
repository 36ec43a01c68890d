"""Squeeze-and-excitation."""
from __future__ import annotations

from torch import Tensor, nn

from .. import checks
from .base import GatedAttention


class SE(GatedAttention):
    """Squeeze-and-excitation: ``Y = X ⊙ σ(fc2(relu(fc1(avgpool(X)))))``.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 1)`` units; at least 1.
        init: ``'identity'`` or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Hu et al. 2018, arXiv 1709.01507, equations 2 to 4; r = 16 is the paper's.
    """

    _abbr_ = 'se'
    _last = ('fc2',)

    def __init__(self, in_channels: int, reduction: int = 16, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        hidden = max(self.in_channels // checks.positive_int('reduction', reduction), 1)
        self.fc1 = nn.Conv2d(self.in_channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, self.in_channels, 1, bias=False)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        return x * self.gate(self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()))
