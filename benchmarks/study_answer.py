"""The first paragraph of the study's page: whether DMSCA differs from the plain network."""
from __future__ import annotations

import pandas as pd
from studies import PLAIN, Hint, Study
from study_statistics import QUANTITIES, counted, interval, paired_differences, student

ALPHA = 0.05
NONE = 'No difference of DMSCA can be given yet: too few of its seeds are done in every study.'


def verdict(differences: pd.DataFrame, plans: dict[str, Study]) -> str:
    """State for which studies a difference of DMSCA on clean images was found.

    Args:
        differences: of ``study_statistics.compare``.
        plans: the studies by name.
    """
    own = differences[(differences.contender == 'dmsca') & (differences.quantity == 'clean')]
    if own.empty:
        return NONE
    signs = {name: [plans[study].title.partition(':')[0].lower()
                    for study in own[(own.corrected < ALPHA) & (own['mean'] * sign > 0)].study]
             for name, sign in (('better', 1), ('worse', -1))}
    stated = [f'{name} in {" and ".join(studies)}' for name, studies in signs.items() if studies]
    if not stated:
        return 'These runs found no difference between DMSCA and the plain network:'
    return f'Against the plain network DMSCA was {" and ".join(stated)}' + (
        '; elsewhere these runs found no difference:' if sum(map(len, signs.values())) < len(own) else ':')


def answer(study: str, plan: Study, every: pd.DataFrame, differences: pd.DataFrame) -> str:
    """State DMSCA's differences, its lowest validation, for whom else a difference was found, and what a hint became.

    Args:
        study: a key of ``STUDIES``.
        plan: that study.
        every: the table of runs.
        differences: of ``study_statistics.compare``.
    """
    rows = counted(every, {study: plan})
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
            clean, under = (interval(values, '+') for values in against)
            lines.append(f'Against SE {clean}, under corruption {under} (not corrected).')
        lines += [_safety(rows[rows.study == study])] if plan.start else []
    others = [f'{where}{labels[name]} {line["mean"]:+.2f} ± {line.half:.2f}'
              for where, part in (('', found), ('under corruption ', corrupted)) for name, line in part.iterrows()
              if name != 'dmsca' and line.corrected < ALPHA]
    lines.append(f'Differences found for the others: {"; ".join(others) or "none"}.')
    if plan.hint:
        lines.append(_hint(study, plan, plan.hint, every))
    return '\n  '.join(lines)


def _found(p: float) -> str:
    return 'a difference' if p < ALPHA else 'no difference found'


def _safety(rows: pd.DataFrame) -> str:
    """Compare DMSCA's lowest validation while it trains with the plain network's."""
    own, plain = (rows[rows.contender == name].worst for name in ('dmsca', PLAIN))
    return (f'The lowest validation of its trainings lay between {own.min():.1f} and {own.max():.1f}, '
            f"the plain network's between {plain.min():.1f} and {plain.max():.1f}.")


def _hint(study: str, plan: Study, hint: Hint, every: pd.DataFrame) -> str:
    """State what the seeds that test a hint show, once all of them have run."""
    label = next(each.label for each in plan.contenders if each.name == hint.baseline)
    named = f'A hint, DMSCA against {label}, {hint.quantity}'
    differences = paired_differences(every, study, 'dmsca', hint.quantity, hint.baseline)
    tested = differences[differences.index.isin(hint.seeds)]
    if len(tested) < len(hint.seeds):
        return f'{named}, is being tested: {len(tested)} of {len(hint.seeds)} seeds of its own have run.'
    mean, half, p = student(tested)
    return f'{named}, tested on {len(tested)} seeds of its own: {mean:+.2f} ± {half:.2f} (p {p:.2g}): {_found(p)}.'
