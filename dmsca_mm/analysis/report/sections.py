"""What each section of the report says: rows, charts and sentences from what was read and counted."""
from __future__ import annotations

import math
import platform
import re
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config

from ...compat import requirements
from ...version import __version__
from .costs import Costs
from .curves import COLOURS, Curve, line_chart
from .logs import ATTENTION, History, Line, names, series
from .results import Test, class_table, ended

TIMES = ('time', 'data_time')
"""Scalars of a validation or test that are no metrics."""
HEADLINES = ('coco/segm_mAP', 'coco/bbox_mAP', 'mIoU')
"""The metrics that stand for a model, the first of them that there is; else the first metric."""
OF_MODULES = {'temperature': 'Temperature τ', 'gate_mean': 'Mean of the gate: 1 channels, 0 places',
              'gradient_norm': 'Norm of the gradient'}
"""The scalars of a DMSCA module that are drawn, and their titles."""

Chart = tuple[str, str]
"""A title and an SVG element."""


def subtitle(history: History, config: str) -> str:
    """When it was, in how many parts, and after which config.

    Args:
        history: of the training.
        config: name of its file; empty where it is not known.
    """
    began, end = _began(history.runs[0]), ended(history.runs[-1])
    times = [f'{time.day} {time:%B %Y, %H:%M}' if time else '' for time in (began, end)]
    parts = len(history.runs)
    said = [f'Config {config}' if config else '', f'began {times[0]}' if began else '',
            f'last line of the log {times[1]}' if end else '', f'resumed {parts - 1} time(s)' if parts > 1 else '']
    return '; '.join(filter(None, said))


def tiles(history: History, test: Test | None, cost: Costs | None, config: Config | None) -> list[tuple[str, str]]:
    """The figures that a reader looks for first, each with what it is.

    Args:
        history: of the training.
        test: the last one.
        cost: of the backbone.
        config: of the training.
    """
    training, validations = history.of('training'), history.of('validation')
    found = []
    metrics, where = (test.metrics, 'test') if test else (validations[-1].values, 'validation') if validations else (
        {}, '')
    if name := next((name for name in (*HEADLINES, *metrics) if name in metrics and name not in TIMES), None):
        found.append((_number(metrics[name]), f'{name} in the last {where}'))
    last = training[-1]
    by_epoch = 'epoch' in last.values
    total = ((config or {}).get('train_cfg') or {}).get('max_epochs' if by_epoch else 'max_iters')
    done = int(last.values['epoch']) if by_epoch else last.iteration
    unit = f'epochs; {last.iteration} iterations logged' if by_epoch else 'iterations'
    found.append((str(done), f'of {total} {unit}' if total else unit))
    _, losses = series(training, 'loss')
    if losses:
        found.append((_number(losses[-1]), f'loss at the end; it began with {_number(losses[0])}'))
    _, times = series(training, 'time')
    if times:
        found.append((f'{median(times):.3g} s', 'an iteration (median)'))
    if cost:
        found.append((_share(*cost.parameters), "of the backbone's parameters are its plugins'"))
    return found


def figures(history: History, test: Test | None) -> dict[str, Any]:
    """The table of the last validation and the last test, and that of the classes.

    Args:
        history: of the training.
        test: the last one.
    """
    validations, heads, columns, notes = history.of('validation'), [], [], []
    if validations:
        heads.append('last validation')
        columns.append(validations[-1].values)
        notes.append(f'The last validation came after iteration {validations[-1].iteration}.')
    else:
        notes.append('The training has not been validated yet.')
    if test:
        heads.append('last test')
        columns.append(test.metrics)
        if test.checkpoint:
            notes.append(f'The last test was of {test.checkpoint}.')
        if test.run.name < history.runs[-1].name:
            notes.append('The test is older than the last run of the training.')
    else:
        notes.append('There is no test in this work directory: tools/test.py CONFIG CHECKPOINT makes one.')
    metrics = [name for name in dict.fromkeys(name for column in columns for name in column) if name not in TIMES]
    rows = [[name, *(_number(column[name]) if name in column else '' for column in columns)] for name in metrics]
    if any('–' in row for row in rows):
        notes.append('–: the data has no object of this kind.')
    of_test = class_table(test.run) if test else []
    return dict(metric_heads=heads, metrics=rows, metric_notes=notes, classes=of_test or class_table(history.runs[-1]),
                classes_of='test' if of_test else 'validation')


def curves(history: History) -> list[Chart]:
    """Losses, learning rate, gradient norm and metrics over the iterations.

    Args:
        history: of the training.
    """
    training, validations = history.of('training'), history.of('validation')
    chosen = [('Losses', training, [name for name in names(training) if 'loss' in name]),
              ('Learning rate', training, ['lr']), ('Norm of the gradient', training, ['grad_norm']),
              ('Validation', validations, [name for name in names(validations) if name not in TIMES])]
    drawn = []
    for title, lines, scalars in chosen:
        floor = -1 if lines is validations else -math.inf  # COCO's -1 stands for no figure
        found = [Curve(name, *_points(lines, name, floor)) for name in scalars]
        found = [curve for curve in found if len(curve.x) > (lines is validations)][:len(COLOURS)]
        if found:
            drawn.append((title, line_chart(title, found)))
    return drawn


def notes(history: History) -> list[str]:
    """What a reader of the curves should know of the log.

    Args:
        history: of the training.
    """
    found = []
    if len(history.of('validation')) == 1:
        found.append('There was one validation; its figures are in the table above.')
    if len(history.runs) > 1:
        found.append(f'The log is joined of {len(history.runs)} runs; where they overlap, the later one is shown.')
    if history.broken:
        found.append(f'{history.broken} line(s) of the log could not be read and are left out.')
    return found


def attention(history: History) -> list[Chart]:
    """The scalars of every DMSCA module over the iterations, a colour a stage.

    Args:
        history: of the training.
    """
    lines, drawn = history.of('attention'), []
    for scalar, title in OF_MODULES.items():
        logarithmic = scalar == 'gradient_norm'
        found = []
        for name in names(lines):
            if name.startswith(ATTENTION) and name.endswith(f'/{scalar}'):
                stage = re.search(r'layer(\d+)', name)
                x, y = _points(lines, name, 0 if logarithmic else -math.inf)
                found.append(Curve(f'stage {stage[1]}' if stage else 'elsewhere', x, y))
        found = [curve for curve in found if curve.x]
        if found:
            drawn.append((title, line_chart(title, found, logarithmic)))
    return drawn


def cost_rows(cost: Costs | None) -> list[list[str]]:
    """The table of what the plugins cost.

    Args:
        cost: of the backbone.
    """
    if cost is None:
        return []
    width, height = cost.size
    return [[title, *(f'{value / 1e6:.4g} M' for value in pair), _share(*pair)] for title, pair in (
        ('parameters', cost.parameters),
        (f'multiply-adds, image of {width}×{height} pixels', cost.multiply_adds))]


def cost_notes(history: History) -> list[str]:
    """What was counted, and the time that was measured.

    Args:
        history: of the training.
    """
    found = ['Counted now, from the config: the convolutions and linear layers of a forward.']
    times, waits = (series(history.of('training'), name)[1] for name in TIMES)
    if times:
        waiting = f', {median(waits):.2g} s of it waiting for data' if waits else ''
        found.append(f"Measured in the training: {median(times):.3g} s an iteration, the median of the log's lines"
                     f'{waiting}.')
    return found


def versions() -> list[tuple[str, str]]:
    """What made the report, and when."""
    return [('made', f'{datetime.now():%Y-%m-%d %H:%M}'), ('dmsca_mm', __version__),
            ('Python', platform.python_version()), *requirements.versions('torch', 'numpy').items()]


def _points(lines: list[Line], name: str, floor: float) -> tuple[list[int], list[float]]:
    """The points of a curve above a floor."""
    kept = [(x, y) for x, y in zip(*series(lines, name), strict=True) if y > floor]
    return [x for x, _ in kept], [y for _, y in kept]


def _number(value: float) -> str:
    return '–' if value == -1 else f'{value:.4g}'


def _share(whole: int, without: int) -> str:
    return f'{(whole - without) / whole:.1%}' if whole else '–'


def _began(run: Path) -> datetime | None:
    try:
        return datetime.strptime(run.name, '%Y%m%d_%H%M%S')
    except ValueError:  # a run may be given another name
        return None
