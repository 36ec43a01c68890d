"""The Markdown file of ``gpu_report.py``, from the rows of its CSV."""
from __future__ import annotations

import time
from dataclasses import dataclass, field

from setting import Row

SEND = """Please send both files back, even if something failed: open an issue at the project's repository and attach
report.md and report.csv.
"""


@dataclass(frozen=True)
class Facts:
    """Facts about the machine and the command.

    Attributes:
        card: name of the GPU, or of the processor in a trial.
        device: ``'cuda'`` or ``'cpu'``.
        gpus: that train together.
        command: command line.
        date: start date, ISO 8601.
        versions: software versions by name.
        iterations, rounds: planned for each training and each table.
        begun: ``time.monotonic()`` at the start.
    """

    card: str
    device: str
    gpus: int
    command: str
    date: str
    versions: dict[str, str]
    iterations: int
    rounds: int
    begun: float = field(default_factory=time.monotonic)


def page(rows: list[Row], facts: Facts) -> str:
    """Return the report in Markdown.

    Args:
        rows: of the CSV so far.
        facts: about the machine and the command.
    """
    minutes = (time.monotonic() - facts.begun) / 60
    parts = {part: [row for row in rows if row['part'] == part] for part in ('tests', 'training', 'cost')}
    trial = '' if facts.device == 'cuda' else ' **A trial on a CPU at toy sizes: its figures mean nothing.**'
    versions = ', '.join(f'{name} {version}' for name, version in facts.versions.items())
    return '\n'.join([
        f'# DMSCA on {facts.card}', '',
        f'`{facts.command}`, {facts.date}, {minutes:.1f} minutes; GPUs of a training: {facts.gpus}. {versions}.{trial}',
        '', *_training(parts['training'], facts), *_tests(parts['tests']), *_backbone(parts['cost']),
        *_operator(parts['cost']), *_left_out(rows, facts), '## Where to send it', '', SEND])


def _table(head: list[str], lines: list[list[str]]) -> list[str]:
    """Return a Markdown table followed by a blank line."""
    return [f'| {" | ".join(cells)} |' for cells in (head, ['---'] * len(head), *lines)] + ['']


def _training(rows: list[Row], facts: Facts) -> list[str]:
    """Time, memory and launches of the headline configs."""
    lines = [[row['config'], row['dtype'], row['plugin'],
              f'{row["iteration_ms"]:.1f} [{row["iteration_ms_q1"]:.1f}, {row["iteration_ms_q3"]:.1f}]',
              f'{row["iteration_ratio"]:.3f}' if 'iteration_ratio' in row else '', f'{row["peak_mb"]:.0f} MB',
              str(row['launches']), str(row['iterations'])] for row in rows if 'iteration_ms' in row]
    return ['## Training the headline configs', '',
            'Random images of the real sizes; the median time of a training step after the warm-up, the first and '
            'third quartile in brackets, the loading of images left out; the ratio is to the plugin `none`. Peak '
            'memory is of one process, launches are the GPU kernels of one iteration.', '',
            *_table(['config', 'precision', 'plugin', 'iteration, ms', 'ratio', 'peak memory', 'launches',
                     f'measured of {facts.iterations}'], lines)]


def _tests(rows: list[Row]) -> list[str]:
    lines = [f'{row["passed"]} passed, {row["failed"]} failed, {row["skipped"]} skipped.' for row in rows
             if 'passed' in row]
    return ["## The operator's tests", '', *lines, '']


def _backbone(rows: list[Row]) -> list[str]:
    """A backbone with each attention."""
    rows = [row for row in rows if row['level'] == 'backbone' and 'train_ratio' in row]
    lines = [[row['dtype'], row['shape'], row['contender'], f'{row["train_ms"]:.1f}', f'{row["train_ratio"]:.3f}',
              f'{row["inference_ms"]:.1f}', f'{row["inference_ratio"]:.3f}', f'{row["extra_mb"]:+.0f} MB',
              f'{row["launches_forward"]}; {row["launches_backward"]}'] for row in rows]
    return ['## A ResNet with each attention', '',
            'Ratios are to the plain network, launches are the GPU kernels of a block, forward; backward.', '',
            *_table(['precision', 'input', 'attention', 'training step, ms', 'ratio', 'inference, ms', 'ratio',
                     'extra memory', 'launches'], lines)]


def _operator(rows: list[Row]) -> list[str]:
    """Share of the copy bandwidth that each attention reaches on its own."""
    rows = [row for row in rows if row['level'] == 'operator' and row.get('floor_share')]
    lines = [[row['dtype'], row['shape'], row['contender'], f'{row["copy_gb_per_s"]:.0f} GB/s',
              f'{row["floor_share"]:.2f}', f'{row["backward_floor_share"]:.2f}'] for row in rows]
    return ['## The share of the copy bandwidth', '',
            'Of each attention alone: the time at the speed of a copy of two reads and one write forward, of four '
            'reads and one write backward, as a share of the measured time.', '',
            *_table(['precision', 'map', 'attention', 'a copy moves', 'forward', 'backward'], lines)]


def _left_out(rows: list[Row], facts: Facts) -> list[str]:
    """List failures, omissions and measurements with fewer repetitions than planned."""
    lines = []
    for row in rows:
        if row.get('note'):
            names = [row[key] for key in ('config', 'plugin', 'level', 'dtype', 'contender') if row.get(key)]
            lines.append(f'- {" ".join([row["part"], *names])}: {row["note"]}')
    for key, planned in (('iterations', facts.iterations), ('rounds', facts.rounds)):
        fewer = [row[key] for row in rows if row.get(key, planned) < planned]
        if fewer:
            lines.append(f'- {len(fewer)} rows have fewer {key} than the {planned} planned, at least {min(fewer)}: '
                         'the time was short')
    return ['## Failed or left out', '', *(lines or ['Nothing.']), '']
