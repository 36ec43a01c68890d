"""Read the scalars that a training logged in a work directory. The runs of a resumed training are joined."""
from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...checkpoint.stored_config import parse
from ...errors import UsageError

ATTENTION = 'attention/'
"""Prefix of the scalar names that :mod:`dmsca_mm.runtime.hooks.attention_log` writes."""


@dataclass(frozen=True)
class Line:
    """One line of a log.

    Attributes:
        kind: ``'training'``, ``'attention'`` or ``'validation'``.
        iteration: iteration of the training, counted from 1. A validation has that of the preceding line, because its
            own step counts epochs or iterations, depending on the config.
        run: name of the folder in the work directory that holds the log, usually the time when the run began.
        values: numbers by name.
    """

    kind: str
    iteration: int
    run: str
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """The log of a training.

    Attributes:
        lines: the lines in the order of the iterations.
        runs: folders of its runs, oldest first: one, and one more for each time it was resumed.
        broken: number of lines that could not be read and were skipped.
    """

    lines: list[Line]
    runs: list[Path]
    broken: int

    def of(self, kind: str) -> list[Line]:
        """Return the lines of one kind."""
        return [line for line in self.lines if line.kind == kind]


def series(lines: Iterable[Line], name: str, above: float = -math.inf) -> tuple[list[int], list[float]]:
    """Return the iterations and values of one scalar where it is finite and above a bound."""
    points = [(line.iteration, line.values[name]) for line in lines
              if math.isfinite(line.values.get(name, math.nan)) and line.values[name] > above]
    return [iteration for iteration, _ in points], [value for _, value in points]


def names(lines: Iterable[Line]) -> list[str]:
    """Return the names of the scalars in some lines, in the order of their first appearance."""
    return list(dict.fromkeys(name for line in lines for name in line.values))


def read_history(directory: Path) -> History:
    """Read every ``TIMESTAMP/vis_data/scalars.json`` of a work directory; where two runs overlap, the later one counts.

    Raises:
        UsageError: the folder does not exist, holds no log, or its logs have no line of a training.
    """
    if not directory.is_dir():
        raise UsageError(f'work directory {directory} does not exist or is no folder: give the one that a training '
                         'wrote to, such as work_dirs/NAME_OF_CONFIG')
    paths = sorted(directory.glob('*/vis_data/scalars.json'))
    if not paths:
        raise UsageError(f'{directory} holds no log of a training: tools/train.py leaves TIMESTAMP/vis_data/'
                         'scalars.json in its work directory')
    lines: list[Line] = []
    broken = 0
    for path in paths:
        entries, bad = _entries(path)
        broken += bad
        steps = [step for kind, step, _ in entries if kind != 'validation']
        if steps:
            lines = [line for line in lines if line.iteration < min(steps)] if _is_resumed(path) else []
        iteration = lines[-1].iteration if lines else 0
        for kind, step, values in entries:
            iteration = iteration if kind == 'validation' else step
            lines.append(Line(kind, iteration, path.parts[-3], values))
    if not any(line.kind == 'training' for line in lines):
        raise UsageError(f'{paths[-1]} holds no line of a training that can be read ({broken} broken): a run writes '
                         'the first after default_hooks.logger.interval iterations')
    runs = [directory / run for run in dict.fromkeys(line.run for line in lines)]
    return History(lines, runs, broken)


def _is_resumed(log: Path) -> bool:
    """Return whether the run of a log continued an earlier one, according to the config that mmengine stores beside it;
    True without one."""
    config = log.with_name('config.py')
    return not config.is_file() or parse(config.read_text(errors='replace')).get('resume') is True


def _entries(path: Path) -> tuple[list[tuple[str, int, dict[str, float]]], int]:
    """Return kind, step and numbers of each line, and the number of broken lines, such as the last of a killed run."""
    found, broken = [], 0
    for text in path.read_text(errors='replace').splitlines():
        try:
            entry = json.loads(text)
            step = int(entry.pop('step'))
            values = {name: float(value) for name, value in entry.items() if isinstance(value, (int, float))}
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            broken += 1
            continue
        if any(name.startswith(ATTENTION) for name in values):
            kind = 'attention'
        else:
            kind = 'training' if 'iter' in values else 'validation'
        found.append((kind, step, values))
    return found, broken
