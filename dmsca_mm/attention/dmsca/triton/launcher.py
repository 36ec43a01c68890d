"""The launch of one kernel."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_compiled: dict[tuple[Any, ...], Any] = {}


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Launch a kernel on the current device.

    Triton looks a kernel up by its arguments at every launch, which takes longer than a small kernel runs. What it
    compiled for arguments of one kind is launched directly from the second time on.

    Args:
        kernel: of Triton.
        grid: its programs along each axis.
        *arguments: tensors and numbers, in the kernel's order, a tensor first.
        **options: its compile-time constants, and num_warps.
    """
    values = [value.data_ptr() if isinstance(value, Tensor) else value for value in arguments]
    key = (kernel, arguments[0].get_device(), *map(_kind, arguments, values), *options.values())
    compiled = _compiled.get(key)
    if compiled is not None:
        compiled[(*grid, 1, 1)[:3]](*values, *(options[name] for name in kernel.arg_names[len(values):]))
        return
    compiled = kernel[grid](*arguments, enable_fp_fusion=True, **options)  # Triton's own default changes with 3.10
    if torch.version.hip is None:  # there it compiles for the size of a tensor's memory, too
        _compiled[key] = compiled  # None in the interpreter


def _kind(argument: Any, value: Any) -> Any:
    """What Triton compiles for: a tensor's type, whether numbers are multiples of sixteen, and the number one."""
    if isinstance(argument, Tensor):
        return argument.dtype, value % 16 == 0
    return (value == 1, value % 16 == 0) if isinstance(value, int) else float


def new(like: Tensor, *shape: int) -> Tensor:
    """An fp32 tensor for a kernel to fill."""
    return like.new_empty(shape, dtype=torch.float32)
