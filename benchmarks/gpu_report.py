"""Test and measure this project on a GPU in at most 30 minutes: ``python benchmarks/gpu_report.py``.

It runs the operator's tests, trains the headline configs for some iterations, measures the cost tables, and writes
a Markdown and a CSV file to send back. If time is short, it measures fewer iterations and rounds and skips the last
parts; the report lists what is missing. Ctrl-C ends it early and keeps the results so far.
"""
from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import import_module
from pathlib import Path

import torch
from cost import COLUMNS, positive, write_csv
from gpu_jobs import Job, Table
from gpu_report_page import SEND, Facts, page
from gpu_work import OVER, finish, run, why
from iterations import Training
from random_images import make_ade, make_coco
from runs import ROOT
from setting import DTYPES, Row, Setting, processor
from studies import COMPARED

from dmsca_mm.errors import UsageError, exit_on_usage_error

MINUTES = 30
TESTS_END, TRAININGS_END = 0.2, 0.65
"""Latest end of these parts as a share of the total time; the cost tables get the rest."""
CONFIGS = ('faster_rcnn_r50_dmsca', 'retinanet_r50_dmsca', 'upernet_r50_dmsca')
PLUGINS = ('none', 'se', 'cbam', 'dmsca')
CSV_COLUMNS = ('part', 'config', 'plugin', 'level', 'processes', 'batch', 'iterations', 'iteration_ms',
               'iteration_ms_q1', 'iteration_ms_q3', 'iteration_ratio', 'launches', 'passed', 'failed', 'skipped',
               *COLUMNS)
PACKAGES = ('torch', 'triton', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'dmsca_mm')


@dataclass(frozen=True)
class Scale:
    """Extent of the measurements.

    Attributes:
        tests: arguments of pytest.
        images: of each random data set.
        training: template of a training, without config, plugin, precision and data.
        table: template of a cost table, without level and precision.
    """

    tests: tuple[str, ...]
    images: int
    training: Training
    table: Table

    def trainings(self, data: Path) -> list[Training]:
        """Every config with every plugin in both precisions, on the data sets in a folder."""
        return [replace(self.training, config=str(ROOT / 'configs' / f'{config}.py'), plugin=plugin, dtype=dtype,
                        data=str(data / ('ade' if config.startswith('upernet') else 'coco')))
                for config in CONFIGS for dtype in ('fp32', 'amp') for plugin in PLUGINS]

    def tables(self) -> list[Table]:
        """Both levels in all precisions."""
        return [replace(self.table, level=level, dtype=dtype) for level in ('backbone', 'operator') for dtype in DTYPES]


FULL = Scale(
    tests=('tests/attention', '-n', '4', '--dist', 'worksteal'), images=64, training=Training('', '', '', '', 50),
    table=Table('', '', (800, 1344), 8,
                ('plain', *COMPARED, 'literal', 'fast', 'no-kernels'), 12))
TINY = Scale(
    tests=('tests/attention/test_checks.py',), images=8, training=Training('', '', '', '', 1, warm_up=1, thin=True),
    table=Table('', '', (32, 32), 2, ('plain', 'fast'), 1, depth=18))


@dataclass
class Report:
    """Results so far; adding to them rewrites both files.

    Attributes:
        folder: of the files.
        facts: what the report is about.
        rows: of the CSV.
    """

    folder: Path
    facts: Facts
    rows: list[Row] = field(default_factory=list)

    def add(self, part: str, names: dict[str, str], rows: list[Row]) -> None:
        """Add rows of a part with ``names`` as additional columns, print the first row, and write both files."""
        setting = Setting(self.facts.device).describe()
        shared = {key: setting[key] for key in ('device', 'machine', 'torch', 'date')}
        self.rows += [dict(shared, part=part, **names, **row) if not shared.keys() & row.keys() else
                      dict(row, part=part, **names) for row in rows]
        done = rows[0].get('note') or (f'{rows[0]["iteration_ms"]} ms' if 'iteration_ms' in rows[0] else 'done')
        print(f'{" ".join([part, *names.values()])}: {done}', flush=True)
        _add_ratios(self.rows)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_csv(self.rows, self.folder / 'report.csv', CSV_COLUMNS)
        (self.folder / 'report.md').write_text(page(self.rows, self.facts))

    def take(self, job: Job, rows: list[Row]) -> None:
        """Add the rows of a job."""
        if isinstance(job, Table):
            self.add('cost', dict(level=job.level, dtype=job.dtype), rows)
        else:
            self.add('training', dict(config=Path(job.config).stem, plugin=job.plugin, dtype=job.dtype), rows)


def _add_ratios(rows: list[Row]) -> None:
    """Add the iteration time relative to that of the same config and precision without a plugin."""
    trained = [row for row in rows if 'iteration_ms' in row]
    plain = {(row['config'], row['dtype']): row['iteration_ms'] for row in trained if row['plugin'] == 'none'}
    for row in trained:
        if base := plain.get((row['config'], row['dtype'])):
            row['iteration_ratio'] = round(row['iteration_ms'] / base, 4)


def measure(report: Report, scale: Scale) -> None:
    """Run all parts, each up to its time limit.

    Args:
        report: collects the results.
        scale: extent of the measurements.
    """
    begun, seconds = report.facts.begun, 60 * MINUTES
    report.add('tests', {}, [_tested(scale.tests, begun + TESTS_END * seconds)])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        make_coco(data / 'coco', scale.images)
        make_ade(data / 'ade', scale.images)
        finish(scale.trainings(data), report.facts.gpus, begun + TRAININGS_END * seconds, report.take)
    finish(scale.tables(), 1, begun + seconds, report.take)


def _tested(arguments: tuple[str, ...], end: float) -> Row:
    """Run pytest and return its outcome."""
    code, output = run(['-m', 'pytest', '-q', *arguments], end)
    if code is None:
        return dict(note=OVER)
    found = {name: int(count) for count, name in re.findall(r'(\d+) (passed|failed|skipped|error)', output)}
    if not found:
        return dict(note=f'failed: {why(output)}')
    failed = re.findall(r'^(?:FAILED|ERROR) (\S+)', output, re.MULTILINE)
    return dict(passed=found.get('passed', 0), failed=found.get('failed', 0) + found.get('error', 0),
                skipped=found.get('skipped', 0), **(dict(note=f'failed: {", ".join(failed)}') if failed else {}))


def _facts(tiny: bool, gpus: int) -> Facts:
    device, scale = ('cpu', TINY) if tiny else ('cuda', FULL)
    versions = {name: import_module(name).__version__ for name in PACKAGES}
    versions |= dict(Python=sys.version.split()[0], commit=_printed('git', 'describe', '--always', '--dirty'))
    if not tiny:
        versions |= dict(CUDA=torch.version.cuda or 'none', driver=_printed(
            'nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader', '--id=0'))
    return Facts(processor() if tiny else torch.cuda.get_device_name(), device, gpus,
                 'python benchmarks/gpu_report.py ' + (f'--gpus {gpus}' if not tiny else '--tiny'),
                 date.today().isoformat(), versions, scale.training.iterations, scale.table.rounds)


def _printed(*command: str) -> str:
    """Return the output of a command, or ``'unknown'`` if it fails."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def main() -> None:
    """Parse, measure, print the path of the report."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with SIGINT ignored
    parser = argparse.ArgumentParser(description='Measure DMSCA on a GPU and write a report to send back')
    parser.add_argument('--gpus', type=positive, default=1, help='number of GPUs that train together; default 1')
    parser.add_argument('--tiny', action='store_true', help='try the command on the CPU, at toy sizes')
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs' / 'gpu_report', metavar='DIR',
                        help="for a folder with the card's name and the date; default work_dirs/gpu_report")
    arguments = parser.parse_args()
    if arguments.tiny:
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif torch.cuda.device_count() < arguments.gpus:
        raise UsageError(f'--gpus {arguments.gpus}: torch sees {torch.cuda.device_count()} GPU(s) here; use at most '
                         'that many, or try the command with --tiny')
    facts = _facts(arguments.tiny, arguments.gpus)
    report = Report(arguments.out / f'{re.sub(r"[^A-Za-z0-9]+", "-", facts.card).strip("-")}-{facts.date}', facts)
    try:
        measure(report, TINY if arguments.tiny else FULL)
    except KeyboardInterrupt:
        report.add('report', {}, [dict(note='interrupted, what is missing was left out')])
        raise
    finally:
        print(f'\nwritten: {report.folder}/report.md and report.csv\n{SEND}', end='')


if __name__ == '__main__':
    exit_on_usage_error(main)
