"""Spatial and channel synergistic attention."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import checks
from .base import GatedAttention, GroupNorm

KERNEL_SIZES = 3, 5, 7, 9
"""One for each quarter of the channels."""
WINDOW = 7
"""Side of the windows; channels are compared by the means of their windows. Smaller maps have one window."""


class SCSA(GatedAttention):
    """Spatial and channel synergistic attention: gates for rows and columns, then one for each channel.

    ``Z = X ⊙ σ(norm_h(convs rows X)) ⊙ σ(norm_w(convs columns X))`` with a kernel size for each quarter of the
    channels, shared by rows and columns. ``Y = Z ⊙ σ(avgpool attention(P))``, where P are the normalized means of Z's
    windows and the attention compares channels: ``softmax(q(P) k(P)ᵀ / √d) v(P)`` in heads of d channels.

    Args:
        in_channels: C of the input, a multiple of 4.
        heads: at least 1; if C is not a multiple of it, their greatest common divisor.
        init: ``'identity'``, which zeroes the weights of norm_h and norm_w and the layer v, or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`; ValueError if C is not a multiple of 4.

    Source:
        Si et al. 2024, arXiv 2407.05128, sections 3.1 and 3.2; one head and windows of 7 are the paper's.
    """

    _abbr_ = 'scsa'
    _last = ('norm_h', 'norm_w', 'v')

    def __init__(self, in_channels: int, heads: int = 1, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        c, quarters = self.in_channels, len(KERNEL_SIZES)
        if c % quarters:
            raise ValueError(f'in_channels of SCSA must be a multiple of {quarters}, got {c}')
        self.heads = math.gcd(c, checks.positive_int('heads', heads))
        self.convs = nn.ModuleList(nn.Conv1d(c // quarters, c // quarters, size, padding=size // 2,
                                             groups=c // quarters, bias=False) for size in KERNEL_SIZES)
        self.norm_h, self.norm_w = GroupNorm(quarters, c), GroupNorm(quarters, c)
        self.norm = GroupNorm(1, c)
        self.q, self.k, self.v = (nn.Conv2d(c, c, 1, groups=c, bias=False) for _ in range(3))
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        rows, columns = (self.gate(norm(self._convolved(x.mean(axis)))).to(x.dtype)
                         for norm, axis in ((self.norm_h, 3), (self.norm_w, 2)))
        z = x * rows[:, :, :, None] * columns[:, :, None]
        p = self.norm(functional.avg_pool2d(z, [min(WINDOW, side) for side in x.shape[2:]]))
        q, k, v = (layer(p).flatten(2).unflatten(1, (self.heads, -1)) for layer in (self.q, self.k, self.v))
        attention = (q @ k.mT / math.sqrt(q.shape[2])).softmax(-1)  # (N, heads, d, d)
        return z * self.gate((attention @ v).mean(-1).flatten(1)).to(x.dtype)[:, :, None, None]

    def _convolved(self, means: Tensor) -> Tensor:
        parts = means.chunk(len(self.convs), 1)
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], 1)
