"""Write docs/performance.md from the tables in benchmarks/results; ``make bench`` runs it after measuring."""
from __future__ import annotations

import csv
from pathlib import Path

from contenders import CONTENDERS, chosen

from dmsca_mm.errors import UsageError, exit_on_usage_error

ROOT = Path(__file__).parents[1]
MAIN, LAUNCHES, TRAFFIC = 'cost_resnet50_cpu_fp32', 'gpu_launches.csv', 'gpu_traffic.csv'
"""The table that the page shows, and those of the GPU kernels' times and traffic; the page links all others."""
COMPARED = ('SE', 'CBAM', 'DMSCA fast')
NAMES = {'DMSCA fast': 'DMSCA'}
"""Names of contenders in the text where they differ from their labels."""
NO_GPU = ('No network has been timed on a GPU yet. `make gpu-report` tests and measures within 30 minutes and writes '
          'two files to send back.')
MAPS_AT_LEAST = 8
"""Minimum maps that a block's training step moves: forward X twice and Y; backward X and dY twice each and dX."""
COMMANDS = """```sh
make bench          # measures on the CPU
make bench-gpu      # measures on a GPU
```
"""
METHOD = """## Method

All contenders take turns in one process, in an order that is shuffled in each round. Ratios are taken within a round;
the page shows medians. Extra memory is the largest amount allocated during a training step, minus that of the plain
network. Multiply-adds are counted by mmengine, without elementwise operators. GPU launches are the kernels that a block
launches, forward; backward, counted without a GPU (`python benchmarks/launches.py`). The tables also have quartiles and
milliseconds and, for the attention alone, the share of the speed of a copy.
"""

Rows = list[dict[str, str]]


def page(results: Path) -> str:
    """Return the page in Markdown.

    Args:
        results: folder of the tables of ``cost.py`` and ``scaling.py``; its subfolders hold those of other machines.

    Raises:
        UsageError: the main table is missing.
    """
    paths = [path for pattern in ('cost_*.csv', 'scaling_*.csv', '*/cost_*.csv')
             for path in sorted(results.glob(pattern))]
    tables = {path.relative_to(results).with_suffix('').as_posix(): _read(path) for path in paths}
    if MAIN not in tables:
        raise UsageError(f'no {MAIN}.csv in {results}: run "make bench"')
    others = [f'- {_linked(name, rows)}' for name, rows in tables.items() if name != MAIN]
    return '\n'.join([
        '# What it costs', '', COMMANDS, '## What to expect', '', _expectation(tables), '',
        f'![Time and memory of a ResNet-50 with each attention](../benchmarks/results/{MAIN}.png)', '',
        f'## {_title(MAIN, tables[MAIN])}', '', f'{_made(MAIN, tables[MAIN])}. Times as ratios to plain.', '',
        *_table(tables[MAIN]), '## Other settings', '',
        'Training step; inference, each as a ratio to the plain network in the same setting.', '', *others, '',
        *_gpu_kernels(results), METHOD])


def _read(path: Path) -> Rows:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def _expectation(tables: dict[str, Rows]) -> str:
    """Return a paragraph that compares the cost of DMSCA with that of its best-known peers."""
    rows = tables[MAIN]
    first, found = rows[0], {row['contender']: row for row in rows}
    missing = [label for label in COMPARED if not found.get(label, {}).get('train_ratio')]
    if missing:
        raise UsageError(f'{MAIN}.csv has no figures of {", ".join(missing)}: run "make bench"')
    se, cbam, own = (found[label] for label in COMPARED)
    gpus = [f'On {rows[0]["machine"]} in {rows[0]["dtype"]} the ratios are {_ratios(rows)}.'
            for name, rows in tables.items()
            if Path(name).name.startswith('cost_resnet50') and rows[0]['device'] == 'cuda']
    return ' '.join([
        f'With DMSCA in every block of a ResNet-50, a training step takes {_ratio(own, "train")} of the time that it '
        f'takes without, and inference {_ratio(own, "inference")}; with SE {_ratio(se, "train")} and '
        f'{_ratio(se, "inference")}, with CBAM {_ratio(cbam, "train")} and {_ratio(cbam, "inference")} '
        f'({first["machine"]}, {first["threads"]} threads, {first["date"]}). A step needs {_megabytes(own)} of '
        f'memory, SE {_megabytes(se)}, CBAM {_megabytes(cbam)}. On a GPU a block launches {own["launches_forward"]} '
        f'kernels forward and {own["launches_backward"]} backward; SE {_launches(se)}, CBAM {_launches(cbam)}.',
        *(gpus or [NO_GPU])])


def _ratio(row: dict[str, str], name: str) -> str:
    return f'{float(row[f"{name}_ratio"]):.2f}'


def _megabytes(row: dict[str, str]) -> str:
    return f'{float(row["extra_mb"]):+.0f} MB'


def _launches(row: dict[str, str]) -> str:
    return f'{row["launches_forward"]}; {row["launches_backward"]}' if row['launches_forward'] else ''


def _ratios(rows: Rows) -> str:
    """Format the time ratios of training step and inference of the compared contenders that were measured."""
    return ', '.join(f'{NAMES.get(row["contender"], row["contender"])} {_ratio(row, "train")}; '
                     f'{_ratio(row, "inference")}' for row in rows if row['contender'] in COMPARED and not row['note'])


def _subject(name: str, rows: Rows) -> tuple[str, str]:
    """Return the subject of a table as text and as arguments of its command."""
    kind, what, *_ = Path(name).name.split('_')
    if kind == 'scaling':
        return 'The attention alone against pixels and channels', 'benchmarks/scaling.py'
    batch, _, *size = rows[0]['shape'].split('x')
    if what == 'operator':
        images = 'x'.join(str(4 * int(side)) for side in size)
        return (f'The attention alone, on the four maps of {images} images, batch {batch}',
                f'benchmarks/cost.py --level operator --size {images} --batch {batch}')
    depth, images = what.removeprefix('resnet'), 'x'.join(size)
    return (f'ResNet-{depth}, {images}, batch {batch}',
            f'benchmarks/cost.py --level backbone --depth {depth} --size {images} --batch {batch}')


def _title(name: str, rows: Rows) -> str:
    first, folder = rows[0], Path(name).parent.name
    usual = first['memory_format'] == 'contiguous'
    return ', '.join([_subject(name, rows)[0], first['device'], first['dtype'],
                      *([] if usual else [first['memory_format']]), *([first['machine']] if folder else [])])


def _made(name: str, rows: Rows) -> str:
    """Command, date and machine."""
    first, folder = rows[0], Path(name).parent.name
    labels = {row['contender'] for row in rows}
    names = [each for each, contender in CONTENDERS.items() if contender.label in labels and each != 'plain']
    usual = {contender.label for contender in chosen(None, first['device'])} == labels
    command = ' '.join([
        'python', _subject(name, rows)[1], f'--device {first["device"]} --dtype {first["dtype"]}',
        *([] if first['memory_format'] == 'contiguous' else [f'--memory-format {first["memory_format"]}']),
        f'--rounds {first["rounds"]}', *([] if usual else ['--contenders', *names]),
        *([f'--out benchmarks/results/{folder}'] if folder else [])])
    return f'`{command}`, {first["date"]}, {first["machine"]}, {first["threads"]} threads, torch {first["torch"]}'


def _linked(name: str, rows: Rows) -> str:
    """Return the list entry of a table that the page links but does not show."""
    ratios = f' {_ratios(rows)}.' if 'resnet' in name else ''
    return (f'**{_title(name, rows)}**:{ratios} [Table](../benchmarks/results/{name}.csv), '
            f'[picture](../benchmarks/results/{name}.png). {_made(name, rows)}.')


def _table(rows: Rows) -> list[str]:
    """Return a Markdown table of a backbone with each contender."""
    lines = ['| | training step | inference | extra memory | GPU launches | parameters | multiply-adds |',
             f'|{" --- |" * 7}']
    for row in rows:
        cells = [row['note']] if row['note'] else [
            _ratio(row, 'train'), _ratio(row, 'inference'), _megabytes(row), _launches(row),
            f'{float(row["parameters"]) / 1e6:.3f} M', f'{float(row["flops"]) / 1e9:.3f} G']
        lines.append(f'| {row["contender"]} | {" | ".join(cells)} |')
    there = {row['contender'] for row in rows}
    missing = [each.label for each in chosen(None, rows[0]['device']) if each.label not in there]
    return [*lines, '', *([f'Not measured: {", ".join(missing)}.', ''] if missing else [])]


def _gpu_kernels(results: Path) -> list[str]:
    """Return a section that compares the GPU kernels' time with copies of X; empty if it was not measured."""
    path = results / LAUNCHES
    if not path.exists():
        return []
    rows = _read(path)
    first, steps = rows[0], {}
    for row in rows:
        step, copy = steps.get((row['shape'], row['dtype']), (0.0, 0.0))
        time = float(row['us']) * int(row['launches'])
        steps[row['shape'], row['dtype']] = (step, time) if row['launch'] == 'copy' else (step + time, copy)
    copies = MAPS_AT_LEAST // 2
    lines = [f'| {shape} | {dtype} | {step:.0f} | {copies * copy:.0f} | {step / copy / copies:.1f} |'
             for (shape, dtype), (step, copy) in steps.items()]
    return ['## The kernels on a GPU', '',
            f'{first["command"]}, {first["date"]}, {first["card"]}, torch {first["torch"]}: '
            "time of the kernels of one block in a training step, in microseconds, NCHW, without the host's time. "
            f'At least: the time of {copies} copies of X, as a step reads X four times and dY twice and writes Y and '
            f'dX. [Each launch](../benchmarks/results/{LAUNCHES}); [the bytes that each moves]'
            f'(../benchmarks/results/{TRAFFIC}), computed from their plan by `python benchmarks/gpu_traffic.py`.', '',
            '| map | type | a step, µs | at least, µs | ratio |', f'|{" --- |" * 5}', *lines, '']


def main() -> None:
    """Write the page."""
    out = ROOT / 'docs' / 'performance.md'
    out.write_text(page(ROOT / 'benchmarks' / 'results'))
    print(f'written: {out.relative_to(ROOT)}')


if __name__ == '__main__':
    exit_on_usage_error(main)
