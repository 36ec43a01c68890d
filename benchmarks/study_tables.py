"""The tables of the study's page: means, differences with intervals, and cost of each contender."""
from __future__ import annotations

import pandas as pd
from studies import PLAIN, RECIPE, Study
from study_results import SPREADS, costs
from study_statistics import QUANTITIES, counted, interval, paired_differences


def tables(study: str, plan: Study, every: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Return the tables of a study, one of its attentions and, if it has some, one of its recipes.

    The spread of the gates is that of all runs, those that only test a hint included.

    Args:
        study: a key of ``STUDIES``.
        plan: that study.
        every: the table of runs.
        differences: of ``study_statistics.compare``.
    """
    every, differences = every[every.study == study], differences[differences.study == study]
    rows = counted(every, {study: plan})
    if rows.empty:
        return f'## {plan.title}\nNot run yet.\n\n'
    columns = ['seeds', *(f'{name} | difference | p, corrected' for name in QUANTITIES),
               *(['lowest validation, against plain'] if plan.start else []), 'spread of A_c; A_s; α', 'parameters',
               'training step; inference']
    header = f'| | {" | ".join(columns)} |'
    lines = [f'## {plan.title}',
             f'{plan.metric}, in points of a hundred. Differences are over the seeds of both networks.', '',
             header, '|' + ' --- |' * (header.count('|') - 1)]
    plain = rows[rows.contender == PLAIN].set_index('seed')
    prices = costs()
    for contender in plan.contenders:
        own = rows[rows.contender == contender.name].set_index('seed')
        if own.empty or contender.family == RECIPE:
            continue
        cells = [contender.label, str(len(own))]
        for quantity in QUANTITIES:
            line = differences[(differences.contender == contender.name) & (differences.quantity == quantity)]
            cells += [f'{own[quantity].mean():.2f}',
                      *(f'{each["mean"]:+.2f} ± {each.half:.2f} | {each.corrected:.2g}' for _, each in line.iterrows()),
                      *([' | '] if line.empty else [])]
        if plan.start:
            low = (own.worst - plain.worst).dropna()
            cells.append(f'{low.min():+.2f} to {low.max():+.2f}' if len(low) and contender.name != PLAIN else '')
        cells += [_spread(every[every.contender == contender.name]), _parameters(own, plain),
                  '; '.join(f'{ratio:.2f}' for ratio in prices.get(contender.name, ()))]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join([*lines, '', *_recipes(study, plan, rows, differences), ''])


def _spread(rows: pd.DataFrame) -> str:
    means = rows[SPREADS].mean().dropna()
    return '; '.join(f'{mean:.2f}' for mean in means)


def _parameters(own: pd.DataFrame, plain: pd.DataFrame) -> str:
    return f'{own.parameters.iloc[0] / plain.parameters.iloc[0]:.3f}' if len(plain) else ''


def _recipes(study: str, plan: Study, rows: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """Return a table of the recipes: against DMSCA without a change, and against the plain network."""
    lines, seeds = [], set()
    for contender in plan.contenders:
        own = differences[differences.contender == contender.name].set_index('quantity')
        if contender.family != RECIPE or own.empty:
            continue
        cells = [contender.label, f'{own.seeds.iloc[0]:.0f}']
        for quantity in QUANTITIES:
            plain = own.loc[quantity]
            cells += [interval(paired_differences(rows, study, contender.name, quantity, 'dmsca'), '+'),
                      f'{plain["mean"]:+.2f} ± {plain.half:.2f}', f'{plain.corrected:.2g}']
        changed = rows[rows.contender == contender.name]
        seeds |= set(changed.seed)
        cells += [_spread(changed), _parameters(changed, rows[rows.contender == PLAIN])]
        lines.append(f'| {" | ".join(cells)} |')
    if not lines:
        return []
    columns = ' | '.join(f'{name}, against DMSCA | against plain | p, corrected' for name in QUANTITIES)
    return ['DMSCA with one thing changed, against DMSCA (not corrected) and the plain network, on the same seeds.',
            _beside(paired_differences(rows, study, 'dmsca', 'clean'), seeds), '',
            f"| | seeds | {columns} | spread of A_c; A_s; α | parameters |", '|' + ' --- |' * (4 + 3 * len(QUANTITIES)),
            *lines, '']


def _beside(differences: pd.Series, seeds: set[int]) -> str:
    """State DMSCA's own difference on the seeds of the recipes, which all are compared with, and on the others."""
    if differences.empty:
        return ''
    chosen = differences.index.isin(seeds)
    parts = [f'{differences[mask].mean():+.2f} on {where}' for mask, where in (
        (chosen, 'these seeds'), (~chosen, 'the others')) if mask.any()]
    return f'DMSCA without a change, against the plain network: {", ".join(parts)} (clean).'
