"""The GPU implementation of the operator, in Triton, which is imported when a kernel first runs.

The stages are those of ``rearranged.py`` and ``gates.py``; ``passes.py`` runs them in order. ``map_stages.py`` launches
the passes over the map: ``map_kernels.py`` forward, ``map_gradient_kernels.py`` backward. ``gate_stages.py`` launches
all stages between them: ``gate_kernels.py`` forward, ``gate_gradient_kernels.py`` backward. Their programs call the
functions in ``channel_kernels.py``, ``spatial_kernels.py`` and the ``*_gradient_kernels.py`` of the same branch.
``plan.py`` divides the work; ``traffic.py`` counts the bytes moved.
"""
from __future__ import annotations

from torch import Tensor

from ..signature import ForwardStats, Parameters
from .availability import not_covered

__all__ = ['attend', 'attend_backward', 'not_covered']


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Compute Y and the statistics for backward as ``rearranged.attend``; X is dense, ``not_covered`` returned None."""
    from . import passes
    return passes.attend(x, parameters, scale)


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """Compute dX and the parameters' gradients as ``rearranged.attend_backward``; dY has X's memory format."""
    from . import passes
    return passes.attend_backward(dy, x, stats, parameters, scale)
