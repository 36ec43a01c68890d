"""Count the GPU kernels that an attention block launches, without a GPU: ``python benchmarks/launches.py``.

Each PyTorch operator that computes or copies counts as one launch; views and allocations do not count. Triton kernels
are counted but not run, so the results of a counted call are meaningless. DMSCA's operator counts as its Triton
kernels, even on CPU tensors.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from contenders import CONTENDERS, Contender
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from triton.runtime.interpreter import InterpretedFunction
from triton.runtime.jit import JITFunction

from dmsca_mm.attention.dmsca import op

IDLE = {'promote_types', 'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', '_unsafe_view'}
"""Operators that launch nothing, in addition to views."""
SHAPE = (2, 256, 14, 14)
"""Shape of the map on which launches are counted; the count does not depend on it."""


class Launches(NamedTuple):
    """Kernels that a call and its backward launch."""

    forward: int
    backward: int


class _Counter(TorchDispatchMode):
    """Counts the operators that launch a kernel.

    Args:
        device: type of the tensors' device.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.launches = 0
        self.kernel = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, device.upper()))

    def __torch_dispatch__(self, operator: OpOverload, types: Any, arguments: tuple[Any, ...] = (),
                           keywords: dict[str, Any] | None = None) -> Any:
        if operator.namespace == 'dmsca_mm':  # count the operators inside it
            with self:
                return operator.redispatch(self.kernel, *arguments, **(keywords or {}))
        self.launches += not (operator.is_view or operator.overloadpacket.__name__ in IDLE)
        return operator(*arguments, **(keywords or {}))

    def triton(self, *_: Any, **__: Any) -> None:
        """Count a Triton kernel instead of launching it."""
        self.launches += 1


@contextmanager
def _counting(device: str) -> Iterator[_Counter]:
    counter = _Counter(device)
    with patch.object(JITFunction, 'run', counter.triton), patch.object(InterpretedFunction, 'run', counter.triton), \
            patch.object(op, 'cpu', op.triton), counter:
        yield counter


def count(attention: nn.Module, x: Tensor) -> Launches:
    """Count the launches of a forward and of its backward to X and the parameters.

    Args:
        attention: maps X to a tensor of the same shape; its gradients are set to None.
        x: (N, C, H, W).
    """
    x = x.detach().requires_grad_()
    attention.zero_grad(set_to_none=True)  # adding to an existing gradient would launch a kernel
    with _counting(x.device.type) as counter:
        y = attention(x)
        forward = counter.launches
        torch.autograd.backward(y, torch.empty_like(y))
    attention.zero_grad(set_to_none=True)
    return Launches(forward, counter.launches - forward)


def of_block(contender: Contender) -> Launches:
    """Count the launches of a contender in one block of a network; 0 for the plain network.

    Args:
        contender: one of ``CONTENDERS``.
    """
    if contender.cfg is None:
        return Launches(0, 0)
    with contender.kernels_switched():
        return count(contender.operator(SHAPE[1]), torch.randn(SHAPE))


def main() -> None:
    """Print a table."""
    print('GPU kernels that a block launches, forward; backward')
    for contender in CONTENDERS.values():
        if contender.cfg is not None and not contender.compiled:
            print(f'{contender.label:28}{"{}; {}".format(*of_block(contender))}')


if __name__ == '__main__':
    main()
