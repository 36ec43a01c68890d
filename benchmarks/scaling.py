"""Measure how the cost of an attention grows with the area and with the depth of the map.

``python benchmarks/scaling.py`` writes a table and a picture and prints the slope of log time against log size between
the two largest sizes; 1 is linear.
"""
from __future__ import annotations

import cost
import draw
import numpy as np
from setting import Row, Setting

from dmsca_mm.errors import exit_on_usage_error

SIDES, CHANNELS_OF_SIDES = (16, 32, 64, 128, 256), 256
CHANNELS, SIDE_OF_CHANNELS = (64, 128, 256, 512, 1024, 2048), 32


def measure_scaling(contenders: list[cost.Contender], sides: tuple[int, ...], channels: tuple[int, ...],
                    setting: Setting) -> list[Row]:
    """Measure square maps, then channels; adds ``axis`` and ``size`` to the rows of ``measure_operator``."""
    shapes = [('pixels', side * side, (1, CHANNELS_OF_SIDES, side, side)) for side in sides]
    shapes += [('channels', depth, (1, depth, SIDE_OF_CHANNELS, SIDE_OF_CHANNELS)) for depth in channels]
    return [dict(row, axis=axis, size=size) for axis, size, shape in shapes
            for row in cost.measure_operator(contenders, shape, setting)]


def slopes(rows: list[Row]) -> dict[tuple[str, str], float]:
    """Return the slope between the two largest sizes for each axis and contender."""
    lines = {}
    for row in rows:
        if 'note' not in row:
            lines.setdefault((row['axis'], row['contender']), []).append((row['size'], row['train_ms']))
    growth = {key: np.log(line[-1]) - np.log(line[-2]) for key, line in lines.items() if len(line) > 1}
    return {key: float(time / size) for key, (size, time) in growth.items()}


def main() -> None:
    """Parse, measure, write, draw, print."""
    command = cost.parser('Cost of an attention against pixels and against channels', ['cbam', 'literal', 'fast'])
    contenders, setting = cost.prepare(arguments := command.parse_args())
    rows = measure_scaling(contenders, SIDES, CHANNELS, setting)
    path = arguments.out / f'{cost.file_name("scaling", setting)}.csv'
    cost.write_csv(rows, path, ('axis', 'size', *cost.COLUMNS))
    draw.scaling(rows, path.with_suffix('.png'))
    for (axis, label), slope in slopes(rows).items():
        print(f'{axis:10}{label:24}slope {slope:.2f}')
    print(f'written: {path} and {path.with_suffix(".png")}')


if __name__ == '__main__':
    exit_on_usage_error(main)
