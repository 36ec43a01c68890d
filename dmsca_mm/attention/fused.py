"""The fast form on a GPU: the passes over the feature map by Triton's kernels, what is small by PyTorch.

Chosen for CUDA tensors wherever the kernels cover them. Training keeps X, its pools and the two-layer map.
"""
from __future__ import annotations

import os
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn

from .steps import Steps, gradients, refuse_second_derivative, with_parameters

SWITCH = 'DMSCA_KERNELS'
"""Environment variable; 0 leaves the kernels unused."""
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
OLDEST_TRITON = (3, 2)
OLDEST_CAPABILITY = (8, 0)
MOST_MAPS = 65535  # of a grid's second axis
MOST_ELEMENTS = 2 ** 31 - 1  # offsets within a map are 32-bit

_told: set[str] = set()


def wanted(x: Tensor, dtype: torch.dtype) -> bool:
    """Whether the kernels take X; what keeps them from a CUDA tensor is said once.

    Args:
        x: (N, C, H, W), dense.
        dtype: of the parameters.
    """
    if not x.is_cuda or x.numel() == 0 or os.environ.get(SWITCH) == '0':
        return False
    reason = _no_triton() or _too_old(x.device) or not_covered(x, dtype)
    if reason and reason not in _told:
        _told.add(reason)
        warnings.warn(f"DMSCA runs without its GPU kernels, slower with the same result: {reason}. "
                      f"{SWITCH}=0 switches them off without a word", stacklevel=2)
    return reason is None


def not_covered(x: Tensor, dtype: torch.dtype) -> str | None:
    """Why no kernel takes X with parameters of this type; None when one does."""
    for name, found in (('X is', x.dtype), ('the parameters are', dtype)):
        if found not in DTYPES:
            return f'{name} {found}, the kernels take {", ".join(map(str, DTYPES))}'
    if len(x) > MOST_MAPS:
        return f'a batch of {len(x)} maps, the kernels take up to {MOST_MAPS}'
    if x[0].numel() > MOST_ELEMENTS:
        return f'a map of {x[0].numel()} elements, the kernels take up to {MOST_ELEMENTS}'
    return None


@cache
def _no_triton() -> str | None:
    try:
        found = version('triton')
    except PackageNotFoundError:
        return 'Triton is not installed (pip install triton)'
    if tuple(map(int, found.split('.')[:2])) < OLDEST_TRITON:
        return f'Triton {found} is older than {".".join(map(str, OLDEST_TRITON))}'
    return None


@cache
def _too_old(device: torch.device) -> str | None:
    found = torch.cuda.get_device_capability(device)
    if torch.version.cuda and found < OLDEST_CAPABILITY:
        return '{} has compute capability {}.{}, Triton needs {}.{}'.format(
            torch.cuda.get_device_name(device), *found, *OLDEST_CAPABILITY)
    return None


def forward(x: Tensor, steps: Steps) -> Tensor:
    """Y."""
    return _forward(x, steps)[0]


def _forward(x: Tensor, steps: Steps) -> tuple[Tensor, Any]:
    from . import passes  # needs Triton
    u, v, w = steps.rows()
    looked = passes.look(x, v, w)
    channel, spatial = steps.gates(looked.pooled.to(steps.dtype), looked.layers.to(steps.dtype))
    y = passes.apply(x, channel, spatial, looked.dots, u, w, steps.gate.bias, steps.activation.bias, steps.scale)
    return y, looked


class Attend(torch.autograd.Function):
    """The fast form with its backward, by kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: Steps, owner: nn.Module, *parameters: Tensor) -> Tensor:
        """Y; keeps X, its pools and the two-layer map."""
        y, looked = _forward(x, steps)
        ctx.steps, ctx.owner = steps, owner
        ctx.save_for_backward(x, looked.pooled, looked.top, looked.layers, *parameters)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of X and of the parameters."""
        refuse_second_derivative()
        x, *pools = ctx.saved_tensors
        pools, parameters = pools[:3], pools[3:]
        with torch.autocast(dy.device.type, enabled=False):
            d_x, d_learnt = with_parameters(ctx.owner, parameters, lambda: _backward(
                ctx.steps, x, dy, *pools, [p for p in parameters if p.requires_grad], ctx.needs_input_grad[0]))
        return d_x, None, None, *(d_learnt.get(id(parameter)) for parameter in parameters)


def _backward(steps: Steps, x: Tensor, dy: Tensor, pooled: Tensor, top: Tensor, layers: Tensor, learnt: list[Tensor],
              needs_d_x: bool) -> tuple[Tensor | None, dict[int, Tensor | None]]:
    """Gradients of X, if it is needed, and of the learnt parameters by their id."""
    from . import passes  # needs Triton
    dy = dy.contiguous(memory_format=torch.contiguous_format if x.is_contiguous() else torch.channels_last)
    u, v, w = steps.rows()
    pooled, small = (saved.detach().to(steps.dtype).requires_grad_() for saved in (pooled, layers))
    with torch.enable_grad():
        channel, spatial = steps.gates(pooled, small)
    passed = passes.apply_backward(x, dy, top, layers, channel.detach(), spatial.detach(), u, v, w, steps.gate.bias,
                                    steps.activation.bias, steps.scale)
    d_pooled, d_layers, *d_learnt = gradients(
        (channel, spatial), (pooled, small, *learnt),
        (passed.channel.to(steps.dtype), passed.maps[:, 6:7].to(steps.dtype)))
    found = dict(zip(map(id, learnt), d_learnt, strict=True))
    for parameter, d in ((steps.gate.weight, torch.cat([passed.u, passed.v])), (steps.gate.bias, passed.gate_bias),
                         (steps.activation.weight, passed.w), (steps.activation.bias, passed.activation_bias)):
        if parameter.requires_grad:
            found[id(parameter)] = d.to(steps.dtype).view_as(parameter)
    if not needs_d_x:
        return None, found
    return passes.input_gradient(x, dy, top, layers, passed, channel.detach(), d_pooled, d_layers, u, v, w), found
