"""The literal form of DMSCA, the reference for all other forms: one line for each step of the paper.

It is slow, as it keeps every intermediate map. It has a second derivative.
"""
from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from . import parts


class Parts(Protocol):
    """The six parts, as :class:`~dmsca_mm.attention.dmsca.module.DMSCA` holds them."""

    gce: parts.GlobalContextEncoder
    tca: parts.TemperatureChannelAttention
    msce: parts.MultiScaleSpatialEncoder
    dii: parts.DirectionalInteraction
    dff: parts.DynamicFeatureFusion
    aa: parts.AdaptiveActivation


class Maps(NamedTuple):
    """Y and the four maps that lead to it."""

    y: Tensor  # (N, C, H, W)
    channel: Tensor  # A_c, (N, C, 1, 1)
    spatial: Tensor  # A_s, (N, 1, H, W)
    gate: Tensor  # G, (N, 1, H, W)
    activation: Tensor  # α, (N, 1, H, W)


def attend(x: Tensor, dmsca: Parts) -> Maps:
    """Compute Y and its maps.

    Args:
        x: X, (N, C, H, W), floating point.
        dmsca: the parts.
    """
    pooled = x.mean((2, 3), keepdim=True) + x.amax((2, 3), keepdim=True)  # (N, C, 1, 1)
    layers = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (N, 2, H, W)
    channel = dmsca.tca(dmsca.gce(pooled))
    spatial = dmsca.msce(layers, dmsca.dii(layers))
    gate, fused = dmsca.dff(x * channel, x * spatial)
    activation = dmsca.aa(fused)
    return Maps((fused * activation).to(x.dtype), channel, spatial, gate, activation)
