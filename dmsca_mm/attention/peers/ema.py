"""Efficient multi-scale attention."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .. import checks
from .base import GatedAttention, GroupNorm


class EMA(GatedAttention):
    """Efficient multi-scale attention on G groups of channels, which share all layers.

    For each group ``U = norm(X ⊙ σ(conv1 rows X) ⊙ σ(conv1 columns X))``, ``V = conv3(X)`` and
    ``Y = X ⊙ σ(softmax(avgpool U) · V + softmax(avgpool V) · U)``: softmax and product run over the channels.

    Args:
        in_channels: C of the input, at least 1.
        groups: G, at least 1; if C is not a multiple of it, their greatest common divisor.
        init: ``'identity'``, which zeroes the norm's weight and conv3, or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Ouyang et al. 2023, arXiv 2305.13563, section 3 and figure 2; G = 32 is the authors' code's.
    """

    _abbr_ = 'ema'
    _last = ('conv3', 'norm')

    def __init__(self, in_channels: int, groups: int = 32, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        self.groups = math.gcd(self.in_channels, checks.positive_int('groups', groups))
        width = self.in_channels // self.groups
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = GroupNorm(width, width)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        own = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
        rows, columns = own.mean(3, keepdim=True), own.mean(2, keepdim=True).mT
        rows, columns = self.conv1(torch.cat([rows, columns], 2)).sigmoid().split([x.shape[2], x.shape[3]], 2)
        u, v = self.norm(own * rows * columns.mT), self.conv3(own)
        logits = sum((a.mean((2, 3), keepdim=True).softmax(1) * b).sum(1) for a, b in ((u, v), (v, u)))
        gate = self.gate(logits).to(x.dtype).unflatten(0, (-1, self.groups))  # (N, G, H, W)
        return x * gate.repeat_interleave(self.in_channels // self.groups, 1)
