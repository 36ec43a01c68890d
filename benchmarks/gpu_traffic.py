"""Compute the bytes that each GPU kernel launch moves, for one block in each stage of a ResNet on 800×1344 images.

``python benchmarks/gpu_traffic.py`` writes a table of megabytes (10⁶ bytes). They are computed from the kernels' plan,
not measured; X is bf16 in NCHW and the parameters are fp32, as under autocast. "At least" is the minimum for any
implementation: X read twice and Y written; X and dY read twice and dX written. "Read again" counts what a program
reads a second time, from the cache if it is still there.
"""
from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from cost import stage_shapes, write_csv
from setting import Row

from dmsca_mm.attention.dmsca.triton import traffic

ROOT = Path(__file__).parents[1]
IMAGES, BATCHES = (800, 1344), (2, 8)
ITEMSIZE = 2


def rows(shapes: list[tuple[int, ...]]) -> list[Row]:
    """Return two rows for each launch and four for each pass, with a column for each shape.

    Args:
        shapes: of X, (N, C, H, W).
    """
    planned = {'x'.join(map(str, shape)): (traffic.traffic(shape, ITEMSIZE), traffic.floor(shape, ITEMSIZE))
               for shape in shapes}
    return [row for index, name in enumerate(('forward', 'backward')) for row in _pass_rows(name, {
        shape: (launches[index], floors[index]) for shape, (launches, floors) in planned.items()})]


def _pass_rows(name: str, planned: dict[str, tuple[list[traffic.Traffic], int]]) -> list[Row]:
    def row(launch: str, quantity: str, values: list[float], digits: int = 2) -> Row:
        return {'pass': name, 'launch': launch, 'quantity': quantity,
                **{shape: f'{value:.{digits}f}' for shape, value in zip(planned, values, strict=True)}}

    columns = [launches for launches, _ in planned.values()]
    moved = [sum(launch.reads + launch.writes for launch in launches) for launches in columns]
    floors = [floor for _, floor in planned.values()]
    fields = dict(reads='MB read', writes='MB written')
    return [
        *(row(same[0].launch, quantity, [getattr(launch, field) / 1e6 for launch in same])
          for same in zip(*columns, strict=True) for field, quantity in fields.items()),
        row('all', 'MB moved', [total / 1e6 for total in moved]),
        row('all', 'MB at least', [floor / 1e6 for floor in floors]),
        row('all', 'moved / at least', [total / floor for total, floor in zip(moved, floors, strict=True)], 3),
        row('all', 'MB read again', [sum(launch.rereads for launch in launches) / 1e6 for launches in columns])]


def main() -> None:
    """Compute, write the table, print its path."""
    command = argparse.ArgumentParser(description='Bytes that each launch of the GPU kernels moves, from their plan',
                                      formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    command.add_argument('--out', type=Path, default=ROOT / 'benchmarks' / 'results', help='folder of the table')
    path = command.parse_args().out / 'gpu_traffic.csv'
    made = dict(command='python benchmarks/gpu_traffic.py', date=date.today().isoformat())
    table = [dict(row, **made) for row in rows([shape for batch in BATCHES for shape in stage_shapes(IMAGES, batch)])]
    write_csv(table, path, tuple(table[0]))
    print(f'written: {path} (computed, not measured)')


if __name__ == '__main__':
    main()
