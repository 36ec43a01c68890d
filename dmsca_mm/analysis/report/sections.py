"""Text and tables of the report."""
from __future__ import annotations

import platform
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config

from ...compat import requirements
from ...runtime.main_metric import MAIN_METRICS
from ...version import __version__
from .costs import Costs
from .logs import History, series
from .results import TIMES, Test, class_table, ended


def subtitle(history: History, config: str) -> str:
    """Return the config's name if known, when the training began and ended, and how often it was resumed."""
    began, end = (f'{time.day} {time:%B %Y, %H:%M}' if time else ''
                  for time in (_began(history.runs[0]), ended(history.runs[-1])))
    resumed = len(history.runs) - 1
    parts = [config and f'Config {config}', began and f'began {began}', end and f'last line of the log {end}',
             resumed and f'resumed {resumed} time(s)']
    return '; '.join(filter(None, parts))


def tiles(history: History, test: Test | None, cost: Costs | None, config: Config | None) -> list[tuple[str, str]]:
    """Return the key figures at the top of the report, each with its description."""
    training, validations = history.of('training'), history.of('validation')
    found = []
    metrics, source = (test.metrics, 'test') if test else (validations[-1].values, 'validation') if validations else (
        {}, '')
    if name := next((name for name in (*MAIN_METRICS, *metrics) if name in metrics and name not in TIMES), None):
        found.append((_number(metrics[name]), f'{name} in the last {source}'))
    last = training[-1]
    by_epoch = 'epoch' in last.values
    total = ((config or {}).get('train_cfg') or {}).get('max_epochs' if by_epoch else 'max_iters')
    done = int(last.values['epoch']) if by_epoch else last.iteration
    unit = f'epochs; {last.iteration} iterations logged' if by_epoch else 'iterations'
    found.append((str(done), f'of {total} {unit}' if total else unit))
    if losses := series(training, 'loss')[1]:
        found.append((_number(losses[-1]), f'final loss; it started at {_number(losses[0])}'))
    if times := series(training, 'time')[1]:
        found.append((f'{median(times):.3g} s', 'per iteration (median)'))
    if cost:
        found.append((_share(*cost.parameters), "of the backbone's parameters belong to its plugins"))
    return found


def figures(history: History, test: Test | None) -> dict[str, Any]:
    """Return the table of the last validation and the last test, and the class table."""
    validations, columns = history.of('validation'), {}
    if validations:
        columns['last validation'] = validations[-1].values
        notes = [f'The last validation came after iteration {validations[-1].iteration}.']
    else:
        notes = ['The training has not been validated yet.']
    if test:
        columns['last test'] = test.metrics
        if test.checkpoint:
            notes.append(f'The last test was of {test.checkpoint}.')
        if test.run.name < history.runs[-1].name:
            notes.append('The test is older than the last run of the training.')
    else:
        notes.append('There is no test in this work directory: tools/test.py CONFIG CHECKPOINT runs one.')
    metrics = dict.fromkeys(name for column in columns.values() for name in column if name not in TIMES)
    rows = [[name, *(_number(column[name]) if name in column else '' for column in columns.values())]
            for name in metrics]
    if columns and not rows:
        notes.append('They gave no metrics, which happens if a detector finds nothing in any image.')
    if any('–' in row for row in rows):
        notes.append('–: the data have no object of this kind.')
    of_test = class_table(test.run) if test else []
    return dict(metric_heads=list(columns), metrics=rows, metric_notes=notes,
                classes=of_test or class_table(history.runs[-1]), classes_of='test' if of_test else 'validation')


def notes(history: History) -> list[str]:
    """Return notes about the log for a reader of the curves."""
    found = []
    if len(history.of('validation')) == 1:
        found.append('There was one validation; its figures are in the table above.')
    if len(history.runs) > 1:
        found.append(f'The log is joined from {len(history.runs)} runs; where they overlap, the later one is shown.')
    if history.broken:
        found.append(f'{history.broken} line(s) of the log could not be read and are left out.')
    return found


def cost_rows(cost: Costs | None) -> list[list[str]]:
    """Return the table of the backbone's cost with and without its plugins."""
    if cost is None:
        return []
    width, height = cost.size
    return [[title, *(f'{value / 1e6:.4g} M' for value in pair), _share(*pair)] for title, pair in (
        ('parameters', cost.parameters),
        (f'multiply-adds, image of {width}×{height} pixels', cost.multiply_adds))]


def cost_notes(history: History) -> list[str]:
    """Return notes about what was counted, and the measured time."""
    found = ['Counted from the config: convolutions, matrix products, norms and adaptive pooling of a forward pass.']
    times, waits = (series(history.of('training'), name)[1] for name in TIMES)
    if times:
        waiting = f', {median(waits):.2g} s of it waiting for data' if waits else ''
        found.append(f"Measured in the training: {median(times):.3g} s per iteration, the median of the log's lines"
                     f'{waiting}.')
    return found


def versions() -> list[tuple[str, str]]:
    """Return when the report was made, and with which libraries."""
    return [('made', f'{datetime.now():%Y-%m-%d %H:%M}'), ('dmsca_mm', __version__),
            ('Python', platform.python_version()), *requirements.versions('torch', 'numpy').items()]


def _number(value: float) -> str:
    return '–' if value == -1 else f'{value:.4g}'


def _share(total: int, without: int) -> str:
    return f'{(total - without) / total:.1%}' if total else '–'


def _began(run: Path) -> datetime | None:
    try:
        return datetime.strptime(run.name, '%Y%m%d_%H%M%S')
    except ValueError:  # a run may have another name
        return None
