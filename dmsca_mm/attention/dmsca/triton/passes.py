"""Forward and backward of the operator: the stages in order, as in ``rearranged.py``. Needs Triton."""
from __future__ import annotations

import torch
from torch import Tensor

from ..signature import ForwardStats, Parameters
from . import gate_stages, map_stages


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Compute Y and the statistics for backward in five launches, plus one for every four scales after the first four.

    Args:
        x: X, (N, C, H, W), dense, N, H and W at least 1.
        parameters: of the module, which ``not_covered`` accepts.
        scale: s, the upper end of A_c, A_s and α.
    """
    with torch.cuda.device_of(x):
        reduced = map_stages.reduce_forward(x, parameters)
        pooled, spatial_max, context = gate_stages.pools_means_fold(reduced, parameters)
        hidden, spatial = gate_stages.hidden_spatial(pooled, reduced.layers, context, parameters, scale)
        channel = gate_stages.channel_gate(hidden, parameters, scale)
        y = map_stages.apply(x, channel, spatial, reduced.dots, parameters, scale)
    return y, ForwardStats(pooled, spatial_max, hidden, channel, reduced.layers)


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """Compute dX and all gradients in seven launches, plus two for every four scales after the first four.

    Args:
        dy: dY, (N, C, H, W), in X's type and memory format.
        x, parameters, scale: the arguments of ``attend``.
        stats: the statistics that ``attend`` returned.
    """
    gradients = parameters.nest([torch.empty_like(tensor) for tensor in parameters.flat()])
    with torch.cuda.device_of(x):
        context = gate_stages.means_fold(stats.layers, parameters)
        spatial = gate_stages.spatial_gate(stats, context, parameters, scale)
        by_map = map_stages.apply_backward(dy, x, stats, spatial, parameters, scale)
        by_gate = gate_stages.gates_backward(by_map, stats, context, parameters, gradients, scale)
        d_hidden, d_layers = gate_stages.parameters_layers_backward(by_map.maps, by_gate, stats, context, parameters,
                                                                    gradients)
        d_pooled = gate_stages.pooled_fc1_backward(d_hidden, by_gate.context, stats, parameters, gradients)
        dx = map_stages.input_gradient(dy, x, stats, by_map.maps, by_gate.equals, d_pooled, d_layers, parameters)
    return dx, gradients
