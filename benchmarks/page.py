"""Write docs/performance.md from the tables in benchmarks/results: ``make bench`` measures, then calls this."""
from __future__ import annotations

import csv
from pathlib import Path

from dmsca_mm.errors import UsageError, exit_on_usage_error

ROOT = Path(__file__).parents[1]
HEAD = """# What it costs

Made by `make bench` and, with a GPU, `make bench-gpu`: every figure on this page comes from the tables in
`benchmarks/results/`, and each section names its command, date and machine. All contenders take turns in one process,
in an order shuffled each round; ratios are taken within a round, and the medians are shown. Extra memory is the highest
amount that the allocator had handed out during a training step, less the plain network's. The multiply-adds are of
convolutions and matrix products.
"""
NO_GPU = """**No GPU has been measured.** The kernels for it are tested in Triton's interpreter and compiled for two
generations of cards; what they gain there is not known.
"""


def page(results: Path) -> str:
    """The page of all tables in a folder.

    Args:
        results: where ``cost.py`` and ``scaling.py`` wrote.

    Raises:
        UsageError: there are no tables.
    """
    tables = sorted(results.glob('cost_*.csv')) + sorted(results.glob('scaling_*.csv'))
    if not tables:
        raise UsageError(f'no tables in {results}: run "make bench"')
    measured = any('_cuda_' in path.name for path in tables)
    return '\n'.join([HEAD, *([] if measured else [NO_GPU]), *(_section(path) for path in tables)])


def _section(path: Path) -> str:
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    first, kind = rows[0], path.stem.split('_')
    setting = f'--device {first["device"]} --dtype {first["dtype"]} --rounds {first["rounds"]}'
    if kind[0] == 'scaling':
        title, command, body = 'Pixels and channels', f'benchmarks/scaling.py {setting}', []
    else:
        batch, _, *size = first['shape'].split('x')
        if kind[1] == 'operator':
            title, subject, images = 'The attention alone', 'operator', '800x1344'
        else:
            depth, images = kind[1].removeprefix('resnet'), 'x'.join(size)
            title, subject = f'A whole ResNet-{depth}', f'backbone --depth {depth}'
        command = f'benchmarks/cost.py --level {subject} --size {images} --batch {batch} {setting}'
        body = [line for shape in dict.fromkeys(row['shape'] for row in rows)
                for line in _table([row for row in rows if row['shape'] == shape], shape)]
    picture = path.with_suffix('.png')
    return '\n'.join([
        f'## {title}, {first["device"]}, {first["dtype"]}', '',
        f'`python {command}`, {first["date"]}, {first["machine"]}, {first["threads"]} threads, torch {first["torch"]}, '
        f'{first["rounds"]} rounds.', '', f'![{title}](../benchmarks/results/{picture.name})', '', *body])


def _table(rows: list[dict[str, str]], shape: str) -> list[str]:
    """A Markdown table of the contenders on one input."""
    floor = any(row['floor_share'] for row in rows)
    columns = ['', 'parameters', 'multiply-adds', 'inference', 'train step', 'extra memory',
               *['forward floor', 'backward floor'] * floor]
    meaning = (f', which copies at {rows[0]["copy_gb_per_s"]} GB/s. "Floor" is the time at that speed of two reads and '
               'one write forward, of four reads and one write backward, as a share of the time of inference and of '
               'what a train step takes beyond it') if floor else ''
    lines = [f'Input {shape}. Times as ratios to {rows[0]["contender"]}{meaning}.', '',
             f'| {" | ".join(columns)} |', f'|{" --- |" * len(columns)}']
    for row in rows:
        if row['note']:
            lines.append(f'| {row["contender"]} | {row["note"]} |')
            continue
        cells = [row['contender'], f'{float(row["parameters"]) / 1e6:.3f} M', f'{float(row["flops"]) / 1e9:.3f} G',
                 f'{float(row["inference_ratio"]):.2f}', f'{float(row["train_ratio"]):.2f}',
                 f'{float(row["extra_mb"]):+.0f} MB']
        if floor:  # a copy moves less than the floor, so plain has no share of it
            cells += [f'{100 * float(row[key]):.0f} %' if row[key] else ''
                      for key in ('floor_share', 'backward_floor_share')]
        lines.append(f'| {" | ".join(cells)} |')
    return [*lines, '']


def main() -> None:
    """Write the page."""
    out = ROOT / 'docs' / 'performance.md'
    out.write_text(page(ROOT / 'benchmarks' / 'results'))
    print(f'written: {out.relative_to(ROOT)}')


if __name__ == '__main__':
    exit_on_usage_error(main)
