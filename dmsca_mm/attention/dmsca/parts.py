"""The six parts of DMSCA, each a small module that reads like its formula.

Source: L. Zong et al., Scientific Reports 16, 8044 (2026), doi 10.1038/s41598-026-37546-3. No public code was found;
the layer layout below is this project's reading of the paper (docs/operator.md lists what comes from the paper).

Shapes: X is (N, C, H, W). ``scale`` is s of the formulas, the upper end of a gate's range.
"""
from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

MAX_LOG_TEMPERATURE = math.log(20.0)


class GlobalContextEncoder(nn.Module):
    """GCE: a shared two-layer perceptron, applied to the sum of both pooled descriptors.

    Args:
        channels: C, at least 1.
        hidden: width of the hidden layer, at least 1.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        """Compute the context F, (N, C, 1, 1), from avgpool(X) + maxpool(X), (N, C, 1, 1)."""
        return self.fc2(self.fc1(pooled).relu())


class TemperatureChannelAttention(nn.Module):
    """TCA: ``A_c = s·σ(F / τ)`` with a learnt temperature ``τ = exp(log_temperature)``.

    The logarithm keeps τ positive. Weight decay therefore pulls τ to 1, its neutral value, and not to 0, where every
    gate would be a step.

    Args:
        temperature: the initial τ, above 0.
        scale: s.
    """

    def __init__(self, temperature: float, scale: float) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.empty(()))
        self.scale = scale
        self.reset_temperature(temperature)

    def reset_temperature(self, temperature: float) -> None:
        """Set τ to a value above 0."""
        nn.init.constant_(self.log_temperature, math.log(temperature))

    def temperature(self) -> Tensor:
        """Return τ, a scalar, clamped to 1/20 to 20."""
        return self.log_temperature.clamp(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE).exp()

    def forward(self, context: Tensor) -> Tensor:
        """Compute A_c, (N, C, 1, 1), from F, (N, C, 1, 1)."""
        return self.scale * torch.sigmoid(context / self.temperature())


class DirectionalInteraction(nn.Module):
    """DII: rows and columns of the two-layer map are pooled separately and gate each other.

    Args:
        kernel_size: d, odd, at least 1.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv_h = nn.Conv2d(2, 1, (kernel_size, 1), padding=(kernel_size // 2, 0))
        self.conv_w = nn.Conv2d(2, 1, (1, kernel_size), padding=(0, kernel_size // 2))

    def forward(self, layers: Tensor) -> Tensor:
        """Compute B_dir, (N, 1, H, W), from D, (N, 2, H, W)."""
        rows = self.conv_h(layers.mean(3, keepdim=True))  # (N, 1, H, 1)
        columns = self.conv_w(layers.mean(2, keepdim=True))  # (N, 1, 1, W)
        return rows.sigmoid() * columns.sigmoid()


class MultiScaleSpatialEncoder(nn.Module):
    """MSCE: one convolution for each scale, fused with the directional map into ``A_s``.

    Args:
        kernel_sizes: the scales K, odd integers.
        scale: s.
    """

    def __init__(self, kernel_sizes: Sequence[int], scale: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2, 1, k, padding=k // 2) for k in kernel_sizes)
        self.fuse = nn.Conv2d(len(kernel_sizes) + 1, 1, 1)
        self.scale = scale

    def forward(self, layers: Tensor, directional: Tensor) -> Tensor:
        """Compute A_s, (N, 1, H, W), from D, (N, 2, H, W), and B_dir, (N, 1, H, W)."""
        branches = [conv(layers) for conv in self.convs]
        return self.scale * torch.sigmoid(self.fuse(torch.cat([*branches, directional], 1)))


class DynamicFeatureFusion(nn.Module):
    """DFF: a gate per pixel between the channel-weighted and the space-weighted features.

    Args:
        channels: C, at least 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(2 * channels, 1, 1)

    def forward(self, channel_weighted: Tensor, space_weighted: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the gate G, (N, 1, H, W), and X_out, (N, C, H, W), from X_c and X_s, (N, C, H, W)."""
        gate = self.gate(torch.cat([channel_weighted, space_weighted], 1)).sigmoid()
        # In this order the blend returns equal inputs unchanged, bit for bit, which init='identity' needs.
        return gate, space_weighted + gate * (channel_weighted - space_weighted)


class AdaptiveActivation(nn.Module):
    """AA: ``α = s·σ(conv(X_out))``, one value per pixel.

    Args:
        channels: C, at least 1.
        scale: s.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)
        self.scale = scale

    def forward(self, fused: Tensor) -> Tensor:
        """Compute α, (N, 1, H, W), from X_out, (N, C, H, W)."""
        return self.scale * torch.sigmoid(self.conv(fused))
