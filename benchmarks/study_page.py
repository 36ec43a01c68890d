"""Write the study's page and picture from the table of runs: ``python benchmarks/study_page.py``.

With ``--full`` or ``--results`` it writes the answer, the picture and the tables of another study beside its table.
"""
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from runs import ROOT
from studies import CORRUPTIONS, FULL, PLAIN, QUICK, SEVERITIES, STUDIES, Study
from study_alignment import map_table, read_maps
from study_answer import answer, verdict
from study_picture import picture
from study_statistics import FEWEST, compare, counted
from study_tables import tables

from dmsca_mm.errors import UsageError, exit_on_usage_error

TEMPLATE = (ROOT / 'benchmarks' / 'study_page.md.template').read_text()
"""Of the page in ``docs/``."""
OWN_TEMPLATE = '''# Does it help?

{verdict}

{answer}

![Each attention against the plain network, with 95 % intervals](study.png)

{runs} runs; dates: {dates}; machines: {machines}. docs/study.md defines the figures.

{tables}{maps}## The plan
{plan}
'''
"""Of the page of any other table of runs. Advice and a history are for whoever has run it to write."""


def page(template: str, plans: dict[str, Study], rows: pd.DataFrame, differences: pd.DataFrame, maps: pd.DataFrame
         ) -> str:
    """Return the text of the page.

    Args:
        template: ``TEMPLATE`` or ``OWN_TEMPLATE``.
        plans: the studies by name.
        rows: the table of runs.
        differences: of ``study_statistics.compare``.
        maps: the table of ``study_alignment.alignment``.
    """
    return template.format(
        verdict=verdict(differences, plans), maps=map_table(maps, plans),
        answer='\n'.join(answer(name, plan, rows, differences) for name, plan in plans.items()
                         if name in set(differences.study)),
        runs=len(rows), dates=' to '.join(sorted({rows.date.min(), rows.date.max()})) if len(rows) else 'none yet',
        machines=', '.join(sorted({*rows.machine})) or 'none yet',
        tables=''.join(tables(name, plan, rows, differences) for name, plan in plans.items()),
        plan='\n'.join(_planned(plans)), corruptions=', '.join(CORRUPTIONS),
        severities=', '.join(map(str, SEVERITIES)), ranges=_ranges(counted(rows, plans), plans),
        seeds='; '.join(f'{name} {plan.seeds}' for name, plan in plans.items()))


def _ranges(rows: pd.DataFrame, plans: dict[str, Study]) -> str:
    """State how far the best and the worst seed of the plain network are apart on clean images, at most, by metric."""
    plain = rows[rows.contender == PLAIN].groupby('study').clean
    apart = (plain.max() - plain.min()).rename(lambda study: plans[study].metric).groupby(level=0).max()
    return ', '.join(f'{apart[metric]:.1f} points of {metric}' for metric in dict.fromkeys(
        plan.metric for plan in plans.values()) if metric in apart) or 'an amount that is not known yet'


def _planned(studies: dict[str, Study]) -> list[str]:
    lines = ['| study | config | schedule | contenders | seeds |', '|' + ' --- |' * 5]
    for name, plan in studies.items():
        before = f'{plan.start} {plan.unit} plain, then ' if plan.start else ''
        options = f' with {", ".join(f"`{option}`" for option in plan.options)}' if plan.options else ''
        contenders = [each.label if each.seeds is None else f'{each.label} ({each.seeds} seeds)'
                      for each in plan.contenders]
        lines.append(f'| {name} | `configs/{plan.config}`{options} | {before}{plan.length} {plan.unit} | '
                     f'{", ".join(contenders)} | {plan.seeds} |')
    return lines


def main() -> None:
    """Parse, write the page and the picture, print their paths."""
    parser = argparse.ArgumentParser(description="Write the study's page and picture",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--full', action='store_true', help='of the published networks')
    parser.add_argument('--results', type=Path, help='a table of runs of your own, beside which page and picture are '
                        'written; default benchmarks/results/study.csv, whose page is docs/study.md; with --full '
                        'work_dirs/study_full/study.csv')
    chosen = parser.parse_args()
    own = chosen.full or chosen.results is not None
    results = chosen.results or ROOT / ('work_dirs/study_full' if chosen.full else 'benchmarks/results') / 'study.csv'
    if not results.exists():
        raise UsageError(f'{results} does not exist: python benchmarks/study.py{" --full" * chosen.full} makes it')
    rows = pd.read_csv(results)
    every = [FULL] if chosen.full else [STUDIES, QUICK, FULL]
    plans = next((plans for plans in every if {*rows.study} <= {*plans}), None)
    if plans is None:
        raise UsageError(f'{results} has runs of {", ".join(rows.study.unique())}: give a table that '
                         f'benchmarks/study.py{" --full" * chosen.full} has made')
    if own:  # the hints are those of the table in this repository
        plans = {name: replace(plan, hint=None) for name, plan in plans.items()}
    template, path = (OWN_TEMPLATE, results.with_name('study.md')) if own else (TEMPLATE, ROOT / 'docs' / 'study.md')
    differences = compare(rows, plans, 2 if own else FEWEST)
    drawn = results.with_name('study.png')
    picture(differences, plans, drawn)
    path.write_text(page(template, plans, rows, differences, read_maps(results)))
    print(f'{len(rows)} runs: {path}, {drawn}')


if __name__ == '__main__':
    exit_on_usage_error(main)
