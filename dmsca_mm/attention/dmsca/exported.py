"""The form for exported graphs: Y as in the rearranged form, with nodes that ONNX runtimes compute fast.

onnxruntime reduces over channels several times more slowly than it multiplies matrices. Therefore mean_C X is one of
three rows multiplied with X, max_C X takes two steps in ONNX, and P ⊙ A_c + Q is a matrix product of rank two.
"""
from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from torch import Tensor

from .gates import channel_gate, spatial_gate
from .rearranged import blend_gates, dot, weight_rows
from .signature import Parameters

CHANNEL_GROUPS = 16
"""Groups of the two-step max_C X in ONNX. Of 2 to 32, 16 were fastest in onnxruntime 1.32 with 256 to 2048 channels."""


def attend(x: Tensor, parameters: Parameters, scale: float) -> Tensor:
    """Compute Y; see ``rearranged.attend`` for the arguments."""
    parameters = parameters.to(parameters.stats_dtype(x))
    # If autocast is already off, disabling it would only add a call to the graph.
    device = x.device.type
    with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
        u, v, w = weight_rows(parameters)
        mean, d_v, d_w = dot(torch.stack([torch.full_like(v, 1 / len(v)), v, w]), x).split(1, 1)
        reduced = x
        if torch.onnx.is_in_onnx_export():  # other graphs may be trained: one step shares a tie's gradient evenly
            reduced = x.unflatten(1, (math.gcd(len(v), CHANNEL_GROUPS), -1)).amax(1)
        layers = torch.cat([mean, reduced.amax(1, keepdim=True).to(mean.dtype)], 1)
        pooled = x.mean((2, 3), dtype=mean.dtype) + x.amax((2, 3)).to(mean.dtype)
        channel = channel_gate(pooled, parameters, scale)[1]
        spatial = spatial_gate(layers, parameters, scale).spatial
        e_u, e_w = dot(torch.stack([u, w]) * channel[:, None], x).split(1, 1)
        blend = blend_gates(e_u, e_w, d_v, d_w, spatial, parameters, scale)
        columns = torch.stack([channel, torch.ones_like(channel)], 2)  # (N, C, 2)
        pixels = torch.cat([blend.by_channel, blend.by_pixel], 1).flatten(2)  # (N, 2, H·W)
        return x * (columns @ pixels).to(x.dtype).unflatten(2, x.shape[2:])
