"""Compare the time, memory, parameters and multiply-adds of attentions.

``python benchmarks/cost.py --level backbone`` measures a ResNet-50, or another ``--depth``, with each attention in
every block. ``--level operator`` measures only the attention, on the feature maps of a ResNet-50's four stages.
``measure.py`` implements the method, ``contenders.py`` lists the contenders, ``launches.py`` counts GPU kernels.
"""
from __future__ import annotations

import argparse
import csv
from pathlib import Path

import draw
import torch
from contenders import CONTENDERS, Contender, chosen
from launches import of_block
from measure import measure
from setting import DTYPES, MEMORY_FORMATS, Row, Setting

from dmsca_mm.compat.requirements import require
from dmsca_mm.errors import UsageError, exit_on_usage_error


def measure_backbone(contenders: list[Contender], depth: int, size: tuple[int, int], batch: int, setting: Setting
                     ) -> list[Row]:
    """Measure a ResNet of this depth with each attention in every block; ``plain`` has no attention.

    Adds the number of GPU kernels that an attention block launches.
    """
    rows = measure(contenders, lambda contender: contender.backbone(depth), torch.randn(batch, 3, *size), setting)
    launches = {contender.label: of_block(contender) for contender in contenders if not contender.compiled}
    for row in rows:
        if row['contender'] in launches:
            row.update(zip(('launches_forward', 'launches_backward'), launches[row['contender']], strict=True))
    return rows


def measure_operator(contenders: list[Contender], shape: tuple[int, int, int, int], setting: Setting) -> list[Row]:
    """Measure only the attention; ``plain`` copies X. Adds the floors at copy speed and their share of the times.

    The forward floor is two reads and one write of X. The backward floor is four reads, X and dY twice, and one write.
    """
    x = torch.randn(shape, requires_grad=True)
    rows = measure(contenders, lambda contender: contender.operator(shape[1]), x, setting)
    size = x.numel() * (2 if setting.dtype == 'bf16' else 4)
    bandwidth = 2 * size / rows[0]['inference_ms']  # bytes per millisecond
    for row in rows:
        row.update(floor_ms=round(3 * size / bandwidth, 4), copy_gb_per_s=round(bandwidth / 1e6, 2))
        if 'inference_ms' in row and row is not rows[0]:
            row['floor_share'] = round(row['floor_ms'] / row['inference_ms'], 4)
            row['backward_floor_share'] = round(5 / 3 * row['floor_ms'] / (row['train_ms'] - row['inference_ms']), 4)
    return rows


def stage_shapes(size: tuple[int, int], batch: int) -> list[tuple[int, int, int, int]]:
    """Return the shapes of a ResNet-50's four feature maps for images of this size."""
    return [(batch, 256 * 2 ** stage, *(-(-side // (4 * 2 ** stage)) for side in size)) for stage in range(4)]


COLUMNS = ('contender', 'shape', 'parameters', 'flops',
           *(f'{name}_{unit}{quartile}' for name in ('inference', 'train') for unit in ('ms', 'ratio')
             for quartile in ('', '_q1', '_q3')),
           'peak_mb', 'extra_mb', 'launches_forward', 'launches_backward', 'floor_ms', 'floor_share',
           'backward_floor_share', 'copy_gb_per_s', 'note', 'rounds', 'device', 'dtype', 'memory_format', 'machine',
           'cores', 'threads', 'torch', 'date')
DEFAULTS = dict(backbone=((256, 256), 4), operator=((800, 1344), 1))
"""Image size and batch size for each level."""


def write_csv(rows: list[Row], path: Path, columns: tuple[str, ...] = COLUMNS) -> None:
    """Write rows to a CSV file; missing values stay empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def table(rows: list[Row]) -> str:
    """Format rows as text: medians, with quartiles in brackets."""
    lines = [f'{"":26}{"parameters":>12}{"multiply-adds":>15}{"inference ms":>28}{"ratio":>9}'
             f'{"train step ms":>28}{"ratio":>9}{"extra MB":>10}{"GPU launches":>14}'
             f'{"floor/time: forward":>21}{"backward":>10}']
    for shape in dict.fromkeys(row['shape'] for row in rows):
        lines.append(f'input {shape}')
        for row in rows:
            if row['shape'] != shape:
                continue
            if 'note' in row:
                lines.append(f'  {row["contender"]:24}{row["note"]}')
                continue
            times = [f'{row[f"{name}_ms"]:10.2f} [{row[f"{name}_ms_q1"]:.2f}, {row[f"{name}_ms_q3"]:.2f}]'
                     for name in ('inference', 'train')]
            launches = f'{row["launches_forward"]}; {row["launches_backward"]}' if 'launches_forward' in row else ''
            share = ('' if 'floor_share' not in row else
                     f'{row["floor_share"]:21.2f}{row["backward_floor_share"]:10.2f}')
            lines.append(f'  {row["contender"]:24}{row["parameters"] / 1e6:10.3f} M{row["flops"] / 1e9:13.3f} G'
                         f'{times[0]:>28}{row["inference_ratio"]:9.2f}{times[1]:>28}{row["train_ratio"]:9.2f}'
                         f'{row["extra_mb"]:10.1f}{launches:>14}{share}')
    return '\n'.join(lines)


def image_size(text: str) -> tuple[int, int]:
    """Parse ``HxW`` in pixels."""
    height, _, width = text.partition('x')
    if not (height.isdecimal() and width.isdecimal() and min(int(height), int(width)) >= 32):
        raise argparse.ArgumentTypeError(f'expected HEIGHTxWIDTH in pixels, each at least 32, got {text!r}')
    return int(height), int(width)


def positive(text: str) -> int:
    """Parse an int of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected an int of at least 1, got {text!r}')
    return int(text)


def parser(description: str, contenders: list[str] | None = None) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every measurement."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    result.add_argument('--dtype', choices=DTYPES, default='fp32')
    result.add_argument('--memory-format', choices=MEMORY_FORMATS, default='contiguous',
                        help='of all contenders, the plain one too')
    result.add_argument('--rounds', type=positive, default=20, help='default 20')
    result.add_argument('--contenders', nargs='+', metavar='NAME', default=contenders,
                        help=f'some of {", ".join(CONTENDERS)}; default '
                             f'{" ".join(contenders) if contenders else "all that matter on the device"}')
    result.add_argument('--threads', type=positive, help='of the CPU; default as torch chooses')
    result.add_argument('--out', type=Path, default=Path(__file__).parent / 'results', metavar='DIR',
                        help='folder of the table and the picture; default benchmarks/results')
    return result


def prepare(arguments: argparse.Namespace) -> tuple[list[Contender], Setting]:
    """Check the parsed arguments and return the contenders and the setting.

    Raises:
        UsageError: an unknown contender, a missing package, or CUDA without a GPU.
    """
    require('mmdet')
    if arguments.device == 'cuda' and not torch.cuda.is_available():
        raise UsageError('--device cuda: torch sees no GPU here; use --device cpu')
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    return (chosen(arguments.contenders, arguments.device),
            Setting(arguments.device, arguments.dtype, arguments.rounds, arguments.memory_format))


def file_name(subject: str, setting: Setting) -> str:
    """Return the file name of a table without suffix; it names the memory format unless contiguous."""
    usual = setting.memory_format == 'contiguous'
    return '_'.join([subject, setting.device, setting.dtype, *([] if usual else [setting.memory_format])])


def main() -> None:
    """Parse, measure, write, draw, print."""
    command = parser('Compare the cost of attentions')
    command.add_argument('--level', choices=('operator', 'backbone'), required=True)
    command.add_argument('--depth', type=int, choices=(18, 34, 50, 101, 152), default=50,
                         help='of the backbone; default 50')
    command.add_argument('--size', type=image_size, metavar='HxW',
                         help='of the images; default 256x256 (backbone), 800x1344 (operator)')
    command.add_argument('--batch', type=positive, help='default 4 (backbone), 1 (operator)')
    arguments = command.parse_args()
    contenders, setting = prepare(arguments)
    usual = DEFAULTS[arguments.level]
    size, batch = arguments.size or usual[0], arguments.batch or usual[1]
    subject, network = arguments.level, None
    if arguments.level == 'backbone':
        subject, network = f'resnet{arguments.depth}', f'ResNet-{arguments.depth}'
        rows = measure_backbone(contenders, arguments.depth, size, batch, setting)
    else:
        rows = [row for shape in stage_shapes(size, batch) for row in measure_operator(contenders, shape, setting)]
    if (size, batch) != usual:
        subject = f'{subject}_{size[0]}x{size[1]}_b{batch}'
    path = arguments.out / f'cost_{file_name(subject, setting)}.csv'
    write_csv(rows, path)
    print(table(rows))
    draw.costs(rows, network, path.with_suffix('.png'))
    print(f'written: {path} and {path.with_suffix(".png")}')


if __name__ == '__main__':
    exit_on_usage_error(main)
