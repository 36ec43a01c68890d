"""The launch of one kernel."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Launch a kernel on the current device.

    Args:
        kernel: of Triton.
        grid: its programs along each axis.
        *arguments: tensors and numbers, in the kernel's order.
        **options: its compile-time constants, and num_warps.
    """
    kernel[grid](*arguments, enable_fp_fusion=True, **options)  # Triton's own default changes with 3.10


def new(like: Tensor, *shape: int) -> Tensor:
    """An fp32 tensor for a kernel to fill."""
    return like.new_empty(shape, dtype=torch.float32)
