"""Write the study's page and picture from the table of runs: ``python benchmarks/study_page.py``.

With ``--full`` or ``--results`` it writes the answer, the picture and the tables of another study beside its table.
"""
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from runs import ROOT
from studies import CORRUPTIONS, FULL, PLAIN, RECIPE, SEVERITIES, STUDIES, Study
from study_alignment import read_maps, section
from study_picture import picture
from study_results import QUANTITIES, SPREADS, compare, costs, counted, paired_differences, student

from dmsca_mm.errors import UsageError, exit_on_usage_error

ALPHA = 0.05
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
NONE = 'No difference of DMSCA can be given yet: fewer than two of its seeds are done in every study.'


def page(template: str, plans: dict[str, Study], rows: pd.DataFrame, differences: pd.DataFrame, maps: pd.DataFrame
         ) -> str:
    """Return the text of the page.

    Args:
        template: ``TEMPLATE`` or ``OWN_TEMPLATE``.
        plans: the studies by name.
        rows: the table of runs.
        differences: result of ``study_results.compare``.
        maps: the table of ``study_alignment.alignment``.
    """
    hints = {name: _hint(rows, name, plan) for name, plan in plans.items()}
    every, rows = rows, counted(rows, plans)
    return template.format(
        verdict=_verdict(differences), maps=section(maps, plans),
        answer='\n'.join(_answer(name, plan, rows, differences) + hints[name] for name, plan in plans.items()
                         if name in set(differences.study)),
        runs=len(every), dates=' to '.join(sorted({every.date.min(), every.date.max()})) if len(every) else 'none yet',
        machines=', '.join(sorted({*every.machine})) or 'none yet',
        tables=''.join(_section(name, plan, every, differences) for name, plan in plans.items()),
        plan='\n'.join(_planned(plans)), corruptions=', '.join(CORRUPTIONS),
        severities=', '.join(map(str, SEVERITIES)), ranges=_ranges(rows, plans),
        seeds='; '.join(f'{name} {plan.seeds}' for name, plan in plans.items()))


def _verdict(differences: pd.DataFrame) -> str:
    """State for which studies a difference of DMSCA on clean images was found."""
    own = differences[(differences.contender == 'dmsca') & (differences.quantity == 'clean')]
    if own.empty:
        return NONE
    signs = {name: own[(own.corrected < ALPHA) & (own['mean'] * sign > 0)].study.tolist()
             for name, sign in (('better', 1), ('worse', -1))}
    stated = [f'{name} in {" and ".join(studies)}' for name, studies in signs.items() if studies]
    if not stated:
        return 'These runs found no difference between DMSCA and the plain network:'
    return f'Against the plain network DMSCA was {" and ".join(stated)}' + (
        '; elsewhere these runs found no difference:' if sum(map(len, signs.values())) < len(own) else ':')


def _answer(study: str, plan: Study, rows: pd.DataFrame, differences: pd.DataFrame) -> str:
    """State DMSCA's differences, its lowest validation, and for whom else a difference was found on clean images."""
    of_study = differences[differences.study == study].set_index('contender')
    found, corrupted = (of_study[of_study.quantity == quantity] for quantity in QUANTITIES)
    labels = {each.name: each.label for each in plan.contenders}
    lines = [f'- **{plan.title}.**']
    if 'dmsca' in found.index:
        own = found.loc['dmsca']
        lines.append(f'DMSCA {own["mean"]:+.2f} ± {own.half:.2f} points of {plan.metric} against the plain network '
                     f'({own.seeds:.0f} seeds, corrected p {own.corrected:.2g}): {_found(own.corrected)}.')
        own = corrupted.loc['dmsca']
        lines.append(f'Under corruption {own["mean"]:+.2f} ± {own.half:.2f} (corrected p {own.corrected:.2g}).')
        against = [paired_differences(rows, study, 'dmsca', quantity, 'se') for quantity in QUANTITIES]
        if len(against[0]) > 1:
            clean, under = map(_interval, against)
            lines.append(f'Against SE {clean}, under corruption {under} (not corrected).')
        lines += [_safety(rows[rows.study == study])] if plan.start else []
    others = [f'{labels[name]} {line["mean"]:+.2f} ± {line.half:.2f}' for name, line in found.iterrows()
              if name != 'dmsca' and line.corrected < ALPHA]
    lines.append(f'Found of the others: {"; ".join(others) or "none"}.')
    return '\n  '.join(lines)


def _hint(rows: pd.DataFrame, study: str, plan: Study) -> str:
    """State what the seeds that test a study's hint show, once all of them have run; empty without a hint."""
    if plan.hint is None:
        return ''
    label = next(each.label for each in plan.contenders if each.name == plan.hint.baseline)
    named = f'\n  A hint, DMSCA against {label}, {plan.hint.quantity}'
    differences = paired_differences(rows, study, 'dmsca', plan.hint.quantity, plan.hint.baseline)
    tested = differences[differences.index.isin(plan.hint.seeds)]
    if len(tested) < len(plan.hint.seeds):
        return f'{named}, is being tested: {len(tested)} of {len(plan.hint.seeds)} seeds of its own have run.'
    mean, half, p = student(tested)
    return (f'{named}, tested on {len(tested)} seeds of its own: {mean:+.2f} ± {half:.2f} (p {p:.2g}): {_found(p)}.')


def _ranges(rows: pd.DataFrame, plans: dict[str, Study]) -> str:
    """State how far the best and the worst seed of the plain network are apart on clean images, for each study."""
    plain = rows[rows.contender == PLAIN].groupby('study').clean
    apart = plain.max() - plain.min()
    return ', '.join(f'{apart[name]:.1f} points of {plan.metric}' for name, plan in plans.items()
                     if name in apart) or 'an amount that is not known yet'


def _found(p: float) -> str:
    return 'a difference' if p < ALPHA else 'no difference found'


def _safety(rows: pd.DataFrame) -> str:
    """Compare DMSCA's lowest validation while it trains with the plain network's."""
    own, plain = (rows[rows.contender == name].worst for name in ('dmsca', PLAIN))
    return (f'The lowest validation of its trainings lay between {own.min():.1f} and {own.max():.1f}, '
            f"the plain network's between {plain.min():.1f} and {plain.max():.1f}.")


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


def _section(study: str, plan: Study, rows: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Return a study's table: means, differences with intervals, and cost of each contender.

    The spread of the gates is that of all runs, those that only test a hint included.
    """
    every, differences = rows[rows.study == study], differences[differences.study == study]
    rows = counted(every, {study: plan})
    if rows.empty:
        return f'## {plan.title}\nNot run yet.\n\n'
    lines = [f'## {plan.title}',
             f'{plan.metric}, in points of a hundred. Differences are over the seeds of both networks.', '',
             '| | seeds | ' + ' | '.join(f'{name} | difference | p, corrected' for name in QUANTITIES)
             + ' | lowest validation, against plain | spread of A_c; A_s; α | parameters | training step; inference |',
             '|' + ' --- |' * (6 + 3 * len(QUANTITIES))]
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
        lowest = (own.worst - plain.worst).dropna()
        low = f'{lowest.min():+.2f} to {lowest.max():+.2f}' if plan.start and len(lowest) else ''
        cells += [low if contender.name != PLAIN else '', _spread(every[every.contender == contender.name]),
                  _parameters(own, plain),
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
            cells += [_interval(paired_differences(rows, study, contender.name, quantity, 'dmsca')),
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


def _interval(values: pd.Series) -> str:
    """Return the mean of some differences with its interval; empty below two of them."""
    if len(values) < 2:
        return ''
    mean, half, _ = student(values)
    return f'{mean:+.2f} ± {half:.2f}'


def _beside(differences: pd.Series, seeds: set[int]) -> str:
    """State DMSCA's own difference on the seeds of the recipes, which all are compared with, and on the others."""
    if differences.empty:
        return ''
    chosen = differences.index.isin(seeds)
    parts = [f'{differences[mask].mean():+.2f} on {where}' for mask, where in (
        (chosen, 'these seeds'), (~chosen, 'the others')) if mask.any()]
    return f'DMSCA without a change, against the plain network: {", ".join(parts)} (clean).'


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
    template, plans = OWN_TEMPLATE if own else TEMPLATE, FULL if chosen.full else STUDIES
    if own:  # the hints are those of the table in this repository
        plans = {name: replace(plan, hint=None) for name, plan in plans.items()}
    path = results.with_name('study.md') if own else ROOT / 'docs' / 'study.md'
    rows = pd.read_csv(results)
    differences = compare(rows, plans)
    drawn = results.with_name('study.png')
    picture(differences, plans, drawn)
    path.write_text(page(template, plans, rows, differences, read_maps(results)))
    print(f'{len(rows)} runs: {path}, {drawn}')


if __name__ == '__main__':
    exit_on_usage_error(main)
