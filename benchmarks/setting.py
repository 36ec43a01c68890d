"""The machine, precision and length of a measurement."""
from __future__ import annotations

import os
import platform
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]
DTYPES = ('fp32', 'bf16', 'amp')
MEMORY_FORMATS = dict(contiguous=torch.contiguous_format, channels_last=torch.channels_last)


@dataclass(frozen=True)
class Setting:
    """Settings of a measurement.

    Attributes:
        device: ``'cpu'`` or ``'cuda'``.
        dtype: one of ``DTYPES``; ``'amp'`` is torch's autocast, to bfloat16 on the CPU and float16 on CUDA.
        rounds: maximum number of rounds.
        memory_format: of models and inputs, one of ``MEMORY_FORMATS``.
        seconds: time limit; no round starts after it, once ``LEAST_ROUNDS`` are done.
    """

    device: str = 'cpu'
    dtype: str = 'fp32'
    rounds: int = 20
    memory_format: str = 'contiguous'
    seconds: float = float('inf')

    def place(self, value: Any) -> Any:
        """Move a model or tensor to the device, data type and memory format."""
        return value.to(self.device, torch.bfloat16 if self.dtype == 'bf16' else torch.float32,
                        memory_format=MEMORY_FORMATS[self.memory_format])

    def autocast(self) -> Any:
        """Return the context for a forward pass."""
        return torch.autocast(self.device) if self.dtype == 'amp' else nullcontext()

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device == 'cuda':
            torch.cuda.synchronize()

    def describe(self) -> Row:
        """Return the setting and the machine as columns."""
        return dict(date=date.today().isoformat(), device=self.device, dtype=self.dtype,
                    memory_format=self.memory_format,
                    machine=torch.cuda.get_device_name() if self.device == 'cuda' else processor(),
                    cores=os.cpu_count(), threads=torch.get_num_threads(), torch=torch.__version__)


def processor() -> str:
    """The name of this machine's processor."""
    if Path('/proc/cpuinfo').exists():
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
