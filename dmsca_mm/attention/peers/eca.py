"""Efficient channel attention."""
from __future__ import annotations

import math

from torch import Tensor, nn

from .. import checks
from .base import GatedAttention


class ECA(GatedAttention):
    """Efficient channel attention: ``Y = X ⊙ σ(conv1d(avgpool(X)))``, the convolution running along the channels.

    The kernel size is the odd number nearest to ``(log2(C) + b) / gamma``; of two equally near, the larger one.

    Args:
        in_channels: C of the input, at least 1.
        gamma: finite, above 0.
        b: finite, above 0.
        init: ``'identity'`` or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Wang et al. 2020, arXiv 1910.03151, section 3; γ = 2 and b = 1 are the paper's.
    """

    _abbr_ = 'eca'
    _last = ('conv',)

    def __init__(self, in_channels: int, gamma: float = 2, b: float = 1, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        size = (math.log2(self.in_channels) + checks.positive_float('b', b)) / checks.positive_float('gamma', gamma)
        kernel_size = int(size) // 2 * 2 + 1
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        logits = self.conv(x.mean((2, 3)).unsqueeze(1))  # (N, 1, C)
        return x * self.gate(logits)[:, 0, :, None, None]
