"""What mmengine's runs left in words: figures of tests, tables of classes, the environment."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_DATED = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine', re.MULTILINE)
_TESTED = re.compile(r'Load checkpoint from (.+)')
_CLASS_HEADS = ('class', 'category')
"""What the first column of mmseg's and of mmdet's tables of classes is called."""
UNTOLD = ('PyTorch compiling details', 'MUSA available', 'mp_cfg', 'dist_cfg')
"""Entries of mmengine's environment that say nothing to a reader of the report."""


@dataclass(frozen=True)
class Test:
    """The last test of a work directory.

    Attributes:
        run: its folder.
        checkpoint: name of the file that was tested; empty where the log does not tell.
        metrics: numbers by name.
    """

    run: Path
    checkpoint: str
    metrics: dict[str, float]


def last_test(directory: Path) -> Test | None:
    """The newest test whose figures can be read, or None.

    Args:
        directory: a work directory.
    """
    for path in sorted(directory.glob('*/*.json'), reverse=True):
        if path.stem != path.parent.name:
            continue
        try:
            metrics = {name: float(value) for name, value in json.loads(path.read_text()).items()}
        except (ValueError, TypeError, AttributeError):  # the test was killed while it wrote
            continue
        named = _TESTED.findall(log_text(path.parent))
        return Test(path.parent, Path(named[-1].strip()).name if named else '', metrics)
    return None


def log_text(run: Path) -> str:
    """The text log of a run, empty where there is none.

    Args:
        run: its folder.
    """
    path = run / f'{run.name}.log'
    return path.read_text(errors='replace') if path.is_file() else ''


def ended(run: Path) -> datetime | None:
    """The time of the last line in a run's log.

    Args:
        run: its folder.
    """
    dated = _DATED.findall(log_text(run))
    return datetime.strptime(dated[-1], '%Y/%m/%d %H:%M:%S') if dated else None


def class_table(run: Path) -> list[list[str]]:
    """The last table of classes in a run's log, its head first; empty where there is none.

    Args:
        run: its folder.
    """
    tables: list[list[list[str]]] = [[]]
    for line in log_text(run).splitlines():
        if line.startswith('|'):
            tables[-1].append([cell.strip() for cell in line.strip('|').split('|')])
        elif not line.startswith('+') and tables[-1]:
            tables.append([])
    tables = [table for table in tables if table and table[0][0].lower() in _CLASS_HEADS]
    return tables[-1] if tables else []


def environment(run: Path) -> dict[str, str]:
    """What a run logged of its machine and of the libraries, without ``UNTOLD``.

    Args:
        run: its folder.
    """
    block = re.search(r'^System environment:\n(.*?)\n-{20}', log_text(run), re.DOTALL | re.MULTILINE)
    pairs = re.findall(r'^ {4}([^:\n]+): (.*)$', block[1], re.MULTILINE) if block else []
    # mmengine counts processes by that name, on the CPU too.
    return {'processes' if name == 'GPU number' else name: value.strip() for name, value in pairs if name not in UNTOLD}
