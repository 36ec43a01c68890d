"""Coordinate attention."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import checks
from .base import GatedAttention


class CoordinateAttention(GatedAttention):
    """Coordinate attention: a gate for each channel and row times one for each channel and column.

    Row and column means share one convolution, a batch norm and h-swish, then have a convolution each:
    ``[f_h; f_w] = hswish(norm(conv([mean_W(X); mean_H(X)])))``, ``Y = X ⊙ σ(conv_h(f_h)) ⊙ σ(conv_w(f_w))``.

    The batch norm updates its statistics in training mode only. If a config keeps norms in evaluation mode
    (``norm_eval=True``, usual in detection), the statistics keep their initial values and only the affine part learns.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 8)`` units; at least 1.
        init: ``'identity'`` or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Hou et al. 2021, arXiv 2103.02907, section 3.2 and figure 2; r = 32 is the paper's, h-swish and the minimum
        width of 8 are the published code's.
    """

    _abbr_ = 'ca'
    _last = ('conv_h', 'conv_w')

    def __init__(self, in_channels: int, reduction: int = 32, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        hidden = max(self.in_channels // checks.positive_int('reduction', reduction), 8)
        self.conv = nn.Conv2d(self.in_channels, hidden, 1, bias=False)
        self.norm = nn.BatchNorm2d(hidden)
        self.conv_h = nn.Conv2d(hidden, self.in_channels, 1, bias=False)
        self.conv_w = nn.Conv2d(hidden, self.in_channels, 1, bias=False)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).mT  # (N, C, H, 1), (N, C, W, 1)
        hidden = functional.hardswish(self.norm(self.conv(torch.cat([rows, columns], 2))))
        rows, columns = hidden.split([x.shape[2], x.shape[3]], 2)
        return x * self.gate(self.conv_h(rows)) * self.gate(self.conv_w(columns.mT))
