"""Read what mmengine's runs leave besides their scalars: test results, class tables, the environment."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

TIMES = ('time', 'data_time')
"""Scalars of a validation or test that are not metrics."""
OMITTED = ('PyTorch compiling details', 'MUSA available', 'mp_cfg', 'dist_cfg')
"""Entries of mmengine's environment that the report omits."""

_DATED = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine', re.MULTILINE)
_TESTED = re.compile(r'Load checkpoint from (.+)')
_CLASS_HEADS = ('class', 'category')
"""Heading of the first column in the class tables of mmseg and mmdet."""


@dataclass(frozen=True)
class Test:
    """The last test of a work directory.

    Attributes:
        run: folder of the test.
        checkpoint: file name of the tested checkpoint; empty if the log does not name it.
        metrics: scalar metrics by name.
    """

    run: Path
    checkpoint: str
    metrics: dict[str, float]


def last_test(directory: Path) -> Test | None:
    """Return the newest test in a work directory whose results can be read, or None."""
    for path in sorted(directory.glob('*/*.json'), reverse=True):
        if path.stem != path.parent.name:
            continue
        try:
            metrics = {name: float(value) for name, value in json.loads(path.read_text()).items()
                       if isinstance(value, (int, float))}
        except (ValueError, AttributeError):  # the test was killed while writing
            continue
        named = _TESTED.findall(_log(path.parent))
        return Test(path.parent, Path(named[-1].strip()).name if named else '', metrics)
    return None


def ended(run: Path) -> datetime | None:
    """Return the time of the last line in a run's log, or None."""
    dated = _DATED.findall(_log(run))
    return datetime.strptime(dated[-1], '%Y/%m/%d %H:%M:%S') if dated else None


def class_table(run: Path) -> list[list[str]]:
    """Return the last class table in a run's log, heading first; empty if there is none."""
    tables: list[list[list[str]]] = [[]]
    for line in _log(run).splitlines():
        if line.startswith('|'):
            tables[-1].append([cell.strip() for cell in line.strip('|').split('|')])
        elif not line.startswith('+') and tables[-1]:
            tables.append([])
    tables = [table for table in tables if table and table[0][0].lower() in _CLASS_HEADS]
    return tables[-1] if tables else []


def environment(run: Path) -> dict[str, str]:
    """Return what a run logged about its machine and libraries, without ``OMITTED``."""
    block = re.search(r'^System environment:\n(.*?)\n-{20}', _log(run), re.DOTALL | re.MULTILINE)
    pairs = re.findall(r'^ {4}([^:\n]+): (.*)$', block[1], re.MULTILINE) if block else []
    renamed = {'GPU number': 'processes'}  # mmengine counts processes, even on the CPU
    return {renamed.get(name, name): value.strip() for name, value in pairs if name not in OMITTED}


def _log(run: Path) -> str:
    path = run / f'{run.name}.log'
    return path.read_text(errors='replace') if path.is_file() else ''
