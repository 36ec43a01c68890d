"""The attentions that DMSCA is compared with, each as its paper's equations define it, under DMSCA's interface.

The equations carry no biases, so the layers have none; SE's paper found that dropping them helps. The papers leave the
start of the layers open. Here it is a choice, as in DMSCA:

- ``init='identity'`` departs from the papers' form in one thing: every gate ranges over (0, 2) instead of (0, 1), and
  the layer before it starts at zero, so that the gate is 1 and Y = X bit for bit. Safe inside a pretrained network.
- ``init='paper'`` has gates in (0, 1) and Kaiming-normal convolutions (fan_out, relu), for training from scratch.
"""
from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import checks

INITS = ('identity', 'paper')


class _Peer(nn.Module):
    """What the peers share: the checks of the first argument and of ``init``, the gate and the start."""

    _last: ClassVar[tuple[str, ...]]
    """The layers whose output a gate squashes."""

    def __init__(self, in_channels: int, init: str) -> None:
        super().__init__()
        self.in_channels = checks.positive_int('in_channels', in_channels)
        self.init = checks.one_of('init', init, INITS)
        self.scale = 2.0 if self.init == 'identity' else 1.0

    def init_weights(self) -> None:
        """Restore the start that the constructor gave, batch norms and their statistics too.

        A ResNet built with ``init_cfg=None`` applies Kaiming to every convolution below it and calls this afterwards.
        """
        mode = 'fan_in' if self.init == 'identity' else 'fan_out'
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity='relu')
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        if self.init == 'identity':
            for name in self._last:
                nn.init.zeros_(self.get_submodule(name).weight)

    def gate(self, logits: Tensor) -> Tensor:
        """``s·σ(logits)``; s is 1 in the papers' form."""
        return self.scale * torch.sigmoid(logits)


class SE(_Peer):
    """Squeeze-and-excitation: ``Y = X ⊙ σ(fc2(relu(fc1(avgpool(X)))))``.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 1)`` units; at least 1.
        init: ``'identity'`` or ``'paper'``; the head of this file tells the difference.

    Shapes:
        input (N, C, H, W), floating point, N >= 0, H and W >= 1, any memory format; the output is its like.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; a forward input of another shape or kind.

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


class ECA(_Peer):
    """Efficient channel attention: ``Y = X ⊙ σ(conv1d(avgpool(X)))``, the convolution running along the channels.

    Its kernel size is the odd number nearest to ``(log2(C) + b) / gamma``, the larger one of two equally near.

    Args:
        in_channels: C of the input, at least 1.
        gamma: finite, above 0.
        b: finite, above 0.
        init: ``'identity'`` or ``'paper'``; the head of this file tells the difference.

    Shapes, Raises:
        those of :class:`SE`.

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


class CBAM(_Peer):
    """Convolutional block attention: a channel gate, then a spatial gate on what it lets through.

    ``X' = X ⊙ σ(mlp(avgpool(X)) + mlp(maxpool(X)))`` with one ``mlp = fc2(relu(fc1(·)))``, then
    ``Y = X' ⊙ σ(conv([mean_C(X'); max_C(X')]))``.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 1)`` units; at least 1.
        kernel_size: of the spatial convolution in pixels, odd, at least 1.
        init: ``'identity'`` or ``'paper'``; the head of this file tells the difference.

    Shapes, Raises:
        those of :class:`SE`.

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
        mean, peak = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * self.gate(self.mlp(mean) + self.mlp(peak))
        layers = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (N, 2, H, W)
        return x * self.gate(self.conv(layers))


class CoordinateAttention(_Peer):
    """Coordinate attention: a gate for each channel and row times one for each channel and column.

    Row and column means pass one convolution, a batch norm and h-swish together, then a convolution each:
    ``[f_h; f_w] = hswish(norm(conv([mean_W(X); mean_H(X)])))``, ``Y = X ⊙ σ(conv_h(f_h)) ⊙ σ(conv_w(f_w))``.

    The batch norm learns its statistics in training mode only. Where a config keeps norms in evaluation mode
    (``norm_eval=True``, usual in detection) this one stays at its start and only its affine part learns.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 8)`` units; at least 1.
        init: ``'identity'`` or ``'paper'``; the head of this file tells the difference.

    Shapes, Raises:
        those of :class:`SE`.

    Source:
        Hou et al. 2021, arXiv 2103.02907, section 3.2 and figure 2; r = 32 is the paper's, h-swish and the least width
        of 8 are its published form.
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
