"""Convolutional block attention."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import checks
from .base import GatedAttention


class CBAM(GatedAttention):
    """Convolutional block attention: a channel gate, then a spatial gate on its output.

    ``X' = X ⊙ σ(mlp(avgpool(X)) + mlp(maxpool(X)))`` with one ``mlp = fc2(relu(fc1(·)))``, then
    ``Y = X' ⊙ σ(conv([mean_C(X'); max_C(X')]))``.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 1)`` units; at least 1.
        kernel_size: of the spatial convolution in pixels, odd, at least 1.
        init: ``'identity'`` or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Woo et al. 2018, arXiv 1807.06521, equations 1 to 3; r = 16 and 7×7 are the paper's.
    """

    _abbr_ = 'cbam'
    _last = ('fc2', 'conv')

    def __init__(self, in_channels: int, reduction: int = 16, kernel_size: int = 7, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        hidden = max(self.in_channels // checks.positive_int('reduction', reduction), 1)
        kernel_size = checks.odd_int('kernel_size', kernel_size)
        self.fc1 = nn.Conv2d(self.in_channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, self.in_channels, 1, bias=False)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.init_weights()

    def mlp(self, pooled: Tensor) -> Tensor:
        """The perceptron that both pools share, (N, C, 1, 1) to (N, C, 1, 1)."""
        return self.fc2(self.fc1(pooled).relu())

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        mean, spatial_max = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * self.gate(self.mlp(mean) + self.mlp(spatial_max))
        layers = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (N, 2, H, W)
        return x * self.gate(self.conv(layers))
