"""The GPU implementation of the operator: kernels in Triton, which is imported when one first runs.

The stages are those of ``rearranged.py`` and ``gates.py``; ``passes.py`` has them in their order. ``map_stages.py``
launches the passes over the map, ``map_kernels.py`` forward and ``map_gradient_kernels.py`` backward;
``gate_stages.py`` launches all between them, ``gate_kernels.py`` forward and ``gate_gradient_kernels.py`` backward,
made of the functions in ``channel_kernels.py``, ``spatial_kernels.py`` and the gradients' files beside them.
``plan.py`` divides the work; ``traffic.py`` counts the bytes that it moves.
"""
from __future__ import annotations

from torch import Tensor

from ..signature import ForwardStats, Parameters
from .availability import not_covered

__all__ = ['attend', 'attend_backward', 'not_covered']


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Y and what backward keeps, as ``rearranged.attend``; X is dense, and ``not_covered`` gives no reason."""
    from . import passes
    return passes.attend(x, parameters, scale)


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """dX and the gradients of the parameters, as ``rearranged.attend_backward``; dY has X's memory format."""
    from . import passes
    return passes.attend_backward(dy, x, stats, parameters, scale)
