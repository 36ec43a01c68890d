"""Write the results of a measurement: robustness.json, robustness.md and robustness.png."""
from __future__ import annotations

import json
import shlex
import sys
from datetime import date
from pathlib import Path

from ...checkpoint.writing import write_atomically
from ...compat import requirements
from . import Summary, picture, table
from .cells import CLEAN, Cell, Metrics


def write_results(folder: Path, summary: Summary, metrics: dict[Cell, Metrics], source: dict[str, str]) -> None:
    """Write the three files.

    Args:
        folder: folder of the files.
        summary: summary of the requested cells.
        metrics: all metrics of each cell and of the clean images.
        source: config, checkpoint and their hashes.

    Raises:
        UsageError: a file cannot be written.
    """
    title = f'{Path(source["config"].split("::")[-1]).stem} with {Path(source["checkpoint"]).name}'
    command, today = shlex.join(sys.argv), date.today().isoformat()
    cells: dict[str, dict[int, Metrics]] = {name: {} for name in summary.corruptions}
    for name, severity in summary.cells:
        cells[name][severity] = metrics[name, severity]
    versions = requirements.versions('dmsca-mm', 'torch', 'numpy', 'opencv-python', 'imagecorruptions-imaug')
    content = dict(source, command=command, date=today, versions=versions, metric=summary.metric, unit=summary.unit,
                   clean=summary.clean, warning=summary.warning, mpc=summary.mpc, rpc=summary.rpc,
                   by_group=summary.by_group, by_corruption=summary.by_corruption, by_severity=summary.by_severity,
                   clean_metrics=metrics[CLEAN], cells=cells)
    page = '\n'.join([f'# Robustness of {title}', '', table(summary), '', '![Performance against severity, a panel for '
                      'each group of corruptions](robustness.png)', '', f'`{command}`, {today}', ''])
    for name, data in (('robustness.json', json.dumps(content, indent=1).encode()), ('robustness.md', page.encode()),
                       ('robustness.png', picture(summary, title))):
        write_atomically(data, folder / name, 'run the same command again')
