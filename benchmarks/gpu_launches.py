"""Time each GPU kernel launch of one block in each stage of a ResNet on images of 800×1344.

``python benchmarks/gpu_launches.py`` needs a GPU and writes a table of median microseconds from torch's profiler.
For comparison it times a copy of X, one read and one write, after each step.
"""
from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from datetime import date
from pathlib import Path

import torch
from cost import stage_shapes, write_csv
from setting import Row
from torch import Tensor

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca.triton import passes
from dmsca_mm.errors import UsageError, exit_on_usage_error

ROOT = Path(__file__).parents[1]
IMAGES, BATCH = (800, 1344), 2
DTYPES = {'bf16': torch.bfloat16, 'fp32': torch.float32}
STEPS, WARM_UP = 12, 3
COPY = 'Memcpy'
COLUMNS = ('shape', 'dtype', 'launch', 'us', 'launches', 'card', 'torch', 'date', 'command')


def times(module: DMSCA, x: Tensor, dy: Tensor) -> list[Row]:
    """Time each kernel and a copy of X in microseconds, and count their launches in a training step.

    Args:
        module: on the GPU.
        x, dy: X and dY, (N, C, H, W), on the GPU.
    """
    parameters = module.operator_arguments()

    def step() -> None:
        _, stats = passes.attend(x, parameters, module.scale)
        passes.attend_backward(dy, x, stats, parameters, module.scale)
        x.clone()

    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(STEPS):
            step()
        torch.cuda.synchronize()
    found = defaultdict(list)
    for event in profile.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            found['copy' if event.name.startswith(COPY) else event.name].append(event.time_range.elapsed_us())
    return [dict(launch=name, us=round(statistics.median(values), 1), launches=len(values) // STEPS)
            for name, values in found.items() if len(values) >= STEPS]


@torch.no_grad()
def rows() -> list[Row]:
    """Return a row for each launch, shape and type of X."""
    made = dict(card=torch.cuda.get_device_name(), torch=torch.__version__, date=date.today().isoformat(),
                command='`python benchmarks/gpu_launches.py`')
    table = []
    for name, dtype in DTYPES.items():
        for shape in stage_shapes(IMAGES, BATCH):
            module = DMSCA(shape[1]).cuda()
            x, dy = torch.randn(2, *shape, device='cuda').to(dtype)
            table += [dict(row, shape='x'.join(map(str, shape)), dtype=name, **made) for row in times(module, x, dy)]
    return table


def main() -> None:
    """Measure, write the table, print its path."""
    command = argparse.ArgumentParser(description='Time of each launch of the GPU kernels')
    command.add_argument('--out', type=Path, default=ROOT / 'benchmarks' / 'results', help='folder of the table')
    path = command.parse_args().out / 'gpu_launches.csv'
    if not torch.cuda.is_available():
        raise UsageError('torch sees no GPU here; python benchmarks/gpu_traffic.py computes what the launches move')
    write_csv(rows(), path, COLUMNS)
    print(f'written: {path}')


if __name__ == '__main__':
    exit_on_usage_error(main)
