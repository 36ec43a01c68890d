"""Layers that a graph needs besides the network: preprocessing and average pooling, for any image size."""
from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Prepare(nn.Module):
    """Prepare raw images for the backbone, as the model's data preprocessor does.

    Args:
        preprocessor: data preprocessor of the model.
    """

    def __init__(self, preprocessor: Any) -> None:
        super().__init__()
        self.flip = any(getattr(preprocessor, name, False) for name in ('channel_conversion', '_channel_conversion'))
        self.divisor = getattr(preprocessor, 'pad_size_divisor', 1)
        self.padding = getattr(preprocessor, 'pad_value', 0)
        normalized = getattr(preprocessor, '_enable_normalize', True)
        self.register_buffer('mean', preprocessor.mean if normalized else torch.zeros(1, 1, 1))
        self.register_buffer('std', preprocessor.std if normalized else torch.ones(1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map images, (N, 3, H, W), 0 to 255, to normalized images whose sides are multiples of the divisor."""
        x = (images.flip(1) if self.flip else images).sub(self.mean).div(self.std)
        height, width = x.shape[2:]
        return F.pad(x, (0, -width % self.divisor, 0, -height % self.divisor), value=self.padding)


class MeanPool(nn.Module):
    """``AdaptiveAvgPool2d`` as two matrix products, which ONNX supports for every input size.

    Args:
        sides: height and width of the output, each at least 1.
    """

    def __init__(self, sides: tuple[int, int]) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, *sides)."""
        rows, columns = (_shares(side, size, x) for side, size in zip(self.sides, x.shape[2:], strict=True))
        return rows @ x @ columns.T


def _shares(side: int, size: int, like: Tensor) -> Tensor:
    """Return each input's share in output i, (side, size): equal from ⌊i·size/side⌋ to below ⌈(i + 1)·size/side⌉."""
    output = torch.arange(side, device=like.device)[:, None]
    place = torch.arange(size, device=like.device)
    first, end = output * size // side, ((output + 1) * size + side - 1) // side
    inside = ((place >= first) & (place < end)).to(like.dtype)
    return inside / inside.sum(1, keepdim=True)


def with_mean_pools(module: nn.Module) -> nn.Module:
    """Replace every adaptive average pool of a module with :class:`MeanPool`, and return the module.

    Args:
        module: changed in place.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            size = child.output_size
            setattr(module, name, MeanPool((size, size) if isinstance(size, int) else tuple(size)))
        else:
            with_mean_pools(child)
    return module
