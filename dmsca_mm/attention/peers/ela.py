"""Efficient local attention."""
from __future__ import annotations

import math

from torch import Tensor, nn

from .. import checks
from .base import GatedAttention, GroupNorm


class ELA(GatedAttention):
    """Efficient local attention: ``Y = X ⊙ σ(norm(conv(rows X))) ⊙ σ(norm(conv(columns X)))``.

    Rows and columns are means. They share a depthwise convolution and a group norm.

    Args:
        in_channels: C of the input, at least 1.
        kernel_size: odd, at least 1.
        groups: groups of the norm, at least 1; if C is not a multiple of it, their greatest common divisor.
        init: ``'identity'``, which zeroes the norm's weight, or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Xu and Wan 2024, arXiv 2403.01123, section 3.3; 7 and 16 are those of its ELA-B.
    """

    _abbr_ = 'ela'
    _last = ('norm',)

    def __init__(self, in_channels: int, kernel_size: int = 7, groups: int = 16, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        size = checks.odd_int('kernel_size', kernel_size)
        self.conv = nn.Conv1d(self.in_channels, self.in_channels, size, padding=size // 2, groups=self.in_channels,
                              bias=False)
        self.norm = GroupNorm(math.gcd(self.in_channels, checks.positive_int('groups', groups)), self.in_channels)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        rows, columns = (self.gate(self.norm(self.conv(x.mean(axis)))).to(x.dtype) for axis in (3, 2))
        return x * rows[:, :, :, None] * columns[:, :, None]
