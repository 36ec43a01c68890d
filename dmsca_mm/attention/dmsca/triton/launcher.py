"""Launch a Triton kernel."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_compiled: dict[tuple[Any, ...], Any] = {}


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Launch a kernel on the current device.

    Triton looks a kernel up by its arguments at every launch, which takes longer than a small kernel runs. From the
    second launch with arguments of the same kinds on, the compiled kernel is launched directly.

    Args:
        kernel: a Triton kernel.
        grid: number of programs along each axis.
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
    if torch.version.hip is None:  # HIP kernels also depend on the size of a tensor's memory
        _compiled[key] = compiled  # None in the interpreter


def _kind(argument: Any, value: Any) -> Any:
    """Return what Triton specializes for: type and alignment of a tensor; whether an int is 1 or divisible by 16."""
    if isinstance(argument, Tensor):
        return argument.dtype, value % 16 == 0
    return (value == 1, value % 16 == 0) if isinstance(value, int) else float


def new(like: Tensor, *shape: int) -> Tensor:
    """Return an uninitialized fp32 tensor."""
    return like.new_empty(shape, dtype=torch.float32)
