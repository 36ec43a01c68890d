"""How well DMSCA's maps align with the annotated objects of a study's test images."""
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from studies import Study
from study_results import KEY
from study_statistics import interval

if TYPE_CHECKING:
    from study import Run

MAP_KEY = [*KEY, 'map', 'stage']
"""Columns that identify a row."""
COLUMNS = [*MAP_KEY, 'precision', 'area']
"""Columns of the table. ``precision`` is the average precision of the pixels as a score for being on an object;
``area``, the share of the pixels on objects, is the precision of a random map."""
CONTROLS = {'a random map': 'area', 'the objects of other images': 'departure, other image', 'Grad-CAM': 'Grad-CAM'}
"""What the departure is compared with, by its name on the page: a map, or the column ``area``."""


def table_beside(results: Path) -> Path:
    """Return the path of the table that belongs to a table of runs."""
    return results.with_name(f'{results.stem}_alignment.csv')


def read_maps(results: Path) -> pd.DataFrame:
    """Return the table that belongs to a table of runs; empty if there is none."""
    path = table_beside(results)
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)


def alignment(run: Run) -> pd.DataFrame:
    """Return a row for each map and stage of a run whose maps were measured."""
    rows = pd.DataFrame(json.loads(run.alignment.read_text())['rows'])
    return rows[rows['size'] == 'all'].assign(study=run.study, contender=run.contender.name, seed=run.seed)[COLUMNS]


def map_table(rows: pd.DataFrame, plans: dict[str, Study]) -> str:
    """Return the page's section about alignment, with 95 % intervals over the seeds; empty without rows.

    Args:
        rows: the table of all runs that were measured.
        plans: the studies by name.
    """
    lines = []
    for study, of_study in rows.groupby('study'):
        lines += ['## Do its maps follow the objects?',
                  f"{plans[study].title}: DMSCA's maps over the test images.",
                  'Precision is that of the pixels as a score for being on an object,',
                  f'with 95 % intervals over the seeds; a random map has {of_study.area.mean():.3f}.', '',
                  *_heading('map', of_study)]
        for kind, of_kind in of_study.groupby('map'):
            cells = [interval(of_kind[of_kind.stage == stage].precision) for stage in sorted(of_study.stage.unique())]
            lines.append(f'| {kind} | {of_kind.seed.nunique()} | {" | ".join(cells)} |')
        lines += ['', 'Precision of the departure minus that of another map, paired by training, not corrected;',
                  'in brackets, in how many trainings it is below.', '',
                  *_heading('departure against', of_study), *_departure(of_study)]
    return '\n'.join([*lines, '', '']) if lines else ''


def _heading(first: str, rows: pd.DataFrame) -> list[str]:
    columns = [first, 'seeds', *(f'stage {stage}' for stage in sorted(rows.stage.unique()))]
    return [f'| {" | ".join(columns)} |', '|' + ' --- |' * len(columns)]


def _departure(rows: pd.DataFrame) -> list[str]:
    """Return the lines of the table in which the departure is compared with ``CONTROLS``, as far as it has them."""
    precision = rows.pivot_table(index=['seed', 'stage'], columns='map', values='precision')
    precision['area'] = rows.groupby(['seed', 'stage']).area.mean()
    lines = []
    for name, control in CONTROLS.items():
        if control not in precision:
            continue
        differences = (precision.departure - precision[control]).unstack('stage').dropna()
        cells = [f'{interval(of_stage, "+")} ({(of_stage < 0).sum()})' for _, of_stage in differences.items()]
        lines.append(f'| {name} | {len(differences)} | {" | ".join(cells)} |')
    return lines
