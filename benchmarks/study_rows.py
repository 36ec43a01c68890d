"""What came out of the study: a row for each run, and for each contender its mean and its difference to another."""
from __future__ import annotations

import csv
import json
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from scipy.stats import t as student
from study import CONTENDERS, ROOT, TASKS, Run

from dmsca_mm.attention import PEERS
from dmsca_mm.attention.dmsca.ablation import PARTS

PLAIN, WHOLE, WITHOUT = 'none', 'dmsca', 'dmsca_without_'
NUMBERS = {'clean': 'clean', 'corrupted': 'corrupted', 'relative': 'corrupted / clean',
           'alignment': 'Grad-CAM on objects'}
"""Columns of a run that are compared, and their names on the page."""
STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')
METRICS = {'detection': 'box mAP', 'segmentation': 'mIoU'}
LABELS = {'none': 'plain', **{peer.name: peer.label for peer in PEERS}, 'dmsca': 'DMSCA',
          'dmsca_paper': "DMSCA, paper's start"}
COST = ROOT / 'benchmarks' / 'results' / 'cost_resnet50_cpu_fp32.csv'
COSTS = {**LABELS, 'dmsca': 'DMSCA fast', 'dmsca_paper': 'DMSCA fast'}
"""Names of contenders in that table; a start costs nothing."""

Row = dict[str, Any]


def label(contender: str) -> str:
    """A contender's name on the page."""
    return LABELS.get(contender) or f'without {contender.removeprefix(WITHOUT).upper()}'


def costs() -> dict[str, tuple[float, float]]:
    """By contender, the time of a training step and of inference of a ResNet-50 with it, against the plain one."""
    with COST.open(newline='') as file:
        found = {row['contender']: (float(row['train_ratio']), float(row['inference_ratio']))
                 for row in csv.DictReader(file) if not row['note']}
    return {contender: found[name] for contender, name in COSTS.items() if name in found}


def against(contender: str) -> str:
    """Whom a contender is compared with: the whole DMSCA where it lacks a part, else the plain model."""
    return WHOLE if contender.startswith(WITHOUT) else PLAIN


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
    scale = 0.01 if robustness['unit'] == '%' else 1.0
    return dict(task=task, contender=run.contender, seed=run.seed, clean=scale * robustness['clean'],
                corrupted=scale * robustness['mpc'], relative=robustness['rpc'], alignment=mean(cams),
                parameters=_parameters(run))


def _parameters(run: Run) -> int:
    """Of a run's model, without those of a part that is held and without the statistics of batch norms."""
    weights = torch.load(run.folder / run.task.weights(run.task.length), weights_only=False, map_location='meta')
    held = PARTS.get(run.contender.removeprefix(WITHOUT), ())
    return sum(value.numel() for key, value in weights['state_dict'].items()
               if not key.endswith(STATISTICS) and not any(f'.{WHOLE}.{part}.' in key for part in held))


def differences(rows: list[Row], task: str, contender: str, number: str) -> dict[int, float]:
    """By seed, how far a contender is above the one it is compared with.

    Args:
        rows: of :func:`read`.
        task: a key of ``TASKS``.
        contender: one of ``CONTENDERS``.
        number: a key of ``NUMBERS``.
    """
    own, other = ({row['seed']: row[number] for row in rows if (row['task'], row['contender']) == (task, name)}
                  for name in (contender, against(contender)))
    return {seed: own[seed] - other[seed] for seed in own if seed in other}


def summary(rows: list[Row]) -> list[Row]:
    """A row for each contender: means and standard deviations, and those of its differences, seed by seed.

    ``NUMBER_interval`` is half of the difference's 95 % interval, by Student's t; it is empty for less than two seeds.

    Args:
        rows: of :func:`read`.
    """
    found = []
    for task in TASKS:
        for contender in CONTENDERS:
            own = [row for row in rows if (row['task'], row['contender']) == (task, contender)]
            if not own:
                continue
            row: Row = dict(task=task, contender=contender, against=against(contender), seeds=len(own),
                            parameters=own[0]['parameters'])
            for number in NUMBERS:
                values = [each[number] for each in own]
                above = list(differences(rows, task, contender, number).values())
                row |= {f'{number}_mean': mean(values), f'{number}_std': _spread(values),
                        f'{number}_difference': mean(above) if above else '',
                        f'{number}_difference_std': _spread(above), f'{number}_interval': _interval(above)}
            found.append(row)
    return found


def _spread(values: list[float]) -> float | str:
    return stdev(values) if len(values) > 1 else ''


def _interval(values: list[float]) -> float | str:
    count = len(values)
    return float(student.ppf(0.975, count - 1)) * stdev(values) / sqrt(count) if count > 1 else ''
