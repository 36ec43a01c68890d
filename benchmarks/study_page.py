"""Write the study's tables, picture and page from what is done of it: ``python benchmarks/study_page.py``."""
from __future__ import annotations

import argparse
import csv
import json
import os
from datetime import date
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from draw import STYLE, plt
from measure import processor
from study import CONTENDERS, CORRUPTIONS, IMAGES, ROOT, SEVERITY, SIDE, STAGES, TASKS, Run

from dmsca_mm.errors import UsageError, exit_on_usage_error

PLAIN = 'none'
NUMBERS = {'clean': 'clean', 'corrupted': 'corrupted', 'relative': 'corrupted / clean',
           'alignment': 'Grad-CAM on objects'}
"""Columns of a run that are compared, and their names on the page."""
LABELS = {'none': 'plain', 'se': 'SE', 'eca': 'ECA', 'ca': 'coordinate attention', 'cbam': 'CBAM', 'dmsca': 'DMSCA',
          'dmsca_paper': "DMSCA, paper's start"}
METRICS = {'detection': 'box mAP', 'segmentation': 'mIoU'}
COST = ROOT / 'benchmarks' / 'results' / 'cost_resnet50_cpu_fp32.csv'
COSTS = {'none': 'plain', 'se': 'SE', 'eca': 'ECA', 'ca': 'coordinate attention', 'cbam': 'CBAM', 'dmsca': 'DMSCA fast'}
"""Names of contenders in that table."""

Row = dict[str, Any]


def label(contender: str) -> str:
    """A contender's name on the page."""
    return LABELS.get(contender) or f'DMSCA without {contender.removeprefix("dmsca_without_")}'


def read(work: Path) -> list[Row]:
    """A row for each run that is done.

    Args:
        work: folder of the study.
    """
    rows = []
    for task in TASKS:
        for contender in CONTENDERS:
            for folder in sorted((work / task / contender).glob('[0-9]*')):
                run = Run(task, contender, int(folder.name), work, Path())
                if run.is_done():
                    rows.append(_row(run, task))
    return rows


def _row(run: Run, task: str) -> Row:
    robustness = json.loads((run.folder / 'robustness' / 'robustness.json').read_text())
    aligned = json.loads((run.folder / 'alignment' / 'alignment.json').read_text())['rows']
    cams = [row['precision'] for row in aligned if row['map'] == 'Grad-CAM' and row['size'] == 'all']
    weights = torch.load(run.folder / run.task.weights(run.task.length), weights_only=False, map_location='meta')
    scale = 0.01 if robustness['unit'] == '%' else 1.0
    return dict(task=task, contender=run.contender, seed=run.seed, clean=scale * robustness['clean'],
                corrupted=scale * robustness['mpc'], relative=robustness['rpc'], alignment=mean(cams),
                parameters=sum(value.numel() for value in weights['state_dict'].values()))


def summary(rows: list[Row]) -> list[Row]:
    """Mean and standard deviation of each contender, and of its differences to the plain model of the same seed.

    Args:
        rows: of :func:`read`.
    """
    found = []
    for task in TASKS:
        for contender in CONTENDERS:
            own = {row['seed']: row for row in rows if (row['task'], row['contender']) == (task, contender)}
            plain = {row['seed']: row for row in rows if (row['task'], row['contender']) == (task, PLAIN)}
            if not own:
                continue
            row: Row = dict(task=task, contender=contender, seeds=len(own),
                            parameters=next(iter(own.values()))['parameters'])
            for number in NUMBERS:
                values = [each[number] for each in own.values()]
                differences = [own[seed][number] - plain[seed][number] for seed in own if seed in plain]
                row |= {f'{number}_mean': mean(values), f'{number}_std': _spread(values),
                        f'{number}_difference': mean(differences) if differences else '',
                        f'{number}_difference_std': _spread(differences)}
            found.append(row)
    return found


def _spread(values: list[float]) -> float | str:
    return stdev(values) if len(values) > 1 else ''


def page(rows: list[Row], command: str) -> str:
    """The page in docs.

    Args:
        rows: of :func:`summary`.
        command: that made the runs.
    """
    text = (ROOT / 'benchmarks' / 'study.md').read_text().format(
        command=command, date=date.today(), machine=processor(), cores=os.cpu_count(), side=SIDE,
        corruptions=', '.join(CORRUPTIONS), severity=SEVERITY, images=IMAGES, stages=' and '.join(map(str, STAGES)),
        runs=sum(row['seeds'] for row in rows), starts=_schedules())
    return '\n'.join([text, *(line for task in TASKS for line in _table(task, rows))])


def _schedules() -> str:
    return '; '.join(f'{name}: {task.start} {task.unit} for the plain model, then {task.length} for all'
                     for name, task in TASKS.items())


def _table(task: str, rows: list[Row]) -> list[str]:
    rows = [row for row in rows if row['task'] == task]
    if not rows:
        return []
    costs = _costs()
    plain = rows[0]['parameters']
    lines = [f'## {task.capitalize()}, {METRICS[task]}', '',
             f'| | seeds | {" | ".join(NUMBERS.values())} | parameters | training step, inference |',
             f'|{" --- |" * (len(NUMBERS) + 4)}']
    for row in rows:
        cells = [_cell(row, number) for number in NUMBERS]
        cost = costs.get(COSTS.get(row['contender'], ''))
        lines.append(f'| {label(row["contender"])} | {row["seeds"]} | {" | ".join(cells)} | '
                     f'{row["parameters"] / plain:.3f} | {cost or ""} |')
    return [*lines, '']


def _cell(row: Row, number: str) -> str:
    def signed(value: float | str) -> str:
        return f'{value:+.3f}' if isinstance(value, float) else ''

    def around(value: float | str) -> str:
        return f' ± {value:.3f}' if isinstance(value, float) else ''
    whole = f'{row[f"{number}_mean"]:.3f}{around(row[f"{number}_std"])}'
    if row['contender'] == PLAIN:
        return whole
    return f'{whole} ({signed(row[f"{number}_difference"])}{around(row[f"{number}_difference_std"])})'


def _costs() -> dict[str, str]:
    with COST.open(newline='') as file:
        return {row['contender']: f'{float(row["train_ratio"]):.2f}, {float(row["inference_ratio"]):.2f}'
                for row in csv.DictReader(file) if not row['note']}


def picture(rows: list[Row], every: list[Row], path: Path) -> None:
    """Differences to the plain model, a dot a seed and a bar at their mean: clean and corrupted, of each task.

    Args:
        rows: of :func:`summary`.
        every: of :func:`read`.
        path: of the PNG.
    """
    shown = [(task, number) for task in TASKS for number in ('clean', 'corrupted')]
    names = [name for name in CONTENDERS if name != PLAIN and any(row['contender'] == name for row in rows)]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, len(shown), figsize=(14, 0.36 * len(names) + 1.6), sharey=True,
                                      layout='constrained')
        for axes, (task, number) in zip(panels, shown, strict=True):
            plain = {row['seed']: row[number] for row in every if (row['task'], row['contender']) == (task, PLAIN)}
            for place, name in enumerate(names):
                found = [row[number] - plain[row['seed']] for row in every
                         if (row['task'], row['contender']) == (task, name) and row['seed'] in plain]
                axes.plot(found, [place] * len(found), 'o', color='#0b6bcb', alpha=0.6, markersize=5)
                if found:
                    axes.plot([mean(found)] * 2, [place - 0.3, place + 0.3], color='#24292f', linewidth=2)
            axes.axvline(0, color='#8b949e', linewidth=1)
            axes.set_title(f'{task}, {number}', fontsize=10)
            axes.set_xlabel(f'{METRICS[task]} above the plain model')
        panels[0].set_yticks(range(len(names)), [label(name) for name in names])
        panels[0].invert_yaxis()
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _write(rows: list[Row], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
                         for row in rows)


def main() -> None:
    """Parse, write everything, say where."""
    parser = argparse.ArgumentParser(description="Write the study's tables, picture and page",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study'), help='folder of all runs')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'results', help='for tables and picture')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs' / 'study.md', help='the page')
    chosen = parser.parse_args()
    every = read(chosen.work_dir.resolve())
    if not every:
        raise UsageError(f'no run of a study is done in {chosen.work_dir}: python benchmarks/study.py makes them')
    rows = summary(every)
    _write(every, chosen.results / 'study.csv')
    _write(rows, chosen.results / 'study_summary.csv')
    picture(rows, every, chosen.results / 'study.png')
    chosen.page.write_text(page(rows, 'python benchmarks/study.py'))
    print(f'{len(every)} runs: {chosen.page}, and in {chosen.results} study.csv, study_summary.csv, study.png')


if __name__ == '__main__':
    exit_on_usage_error(main)
