"""Paired differences between the contenders of a study, with their intervals and corrected p-values."""
from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from studies import PLAIN, Study

QUANTITIES = ('clean', 'corrupted')
"""Columns of the table of runs that are compared."""
LEVEL = 0.95
FEWEST = 5
"""Seeds from which ``docs/study.md`` gives a difference."""


def paired_differences(rows: pd.DataFrame, study: str, contender: str, quantity: str,
                       baseline: str = PLAIN) -> pd.Series:
    """Return the difference of a contender from another one for each seed.

    Args:
        rows: of the table of runs.
        study: a key of ``STUDIES``.
        contender: one of its contenders.
        quantity: a column.
        baseline: the other one.
    """
    of_study = rows[rows.study == study].set_index('seed')
    own, other = (of_study.loc[of_study.contender == name, quantity] for name in (contender, baseline))
    return (own - other).dropna()


def student(values: pd.Series) -> tuple[float, float, float]:
    """Return the mean of some values, half its 95 % interval and the p-value against 0, by Student's t test."""
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval(LEVEL)
    return values.mean(), (high - low) / 2, test.pvalue


def interval(values: pd.Series, sign: str = '') -> str:
    """Return the mean of some values as text, with half its 95 % interval from two values on; empty without values.

    Args:
        values: the figures of some seeds.
        sign: ``'+'`` to mark a positive mean, for differences.
    """
    if len(values) < 2:
        return ''.join(f'{value:{sign}.2f}' for value in values)
    mean, half, _ = student(values)
    return f'{mean:{sign}.2f} ± {half:.2f}'


def counted(rows: pd.DataFrame, plans: dict[str, Study]) -> pd.DataFrame:
    """Return the rows of the table of runs without those of seeds that only test a hint."""
    only = {(study, seed) for study, plan in plans.items() for seed in plan.reserved()}
    return rows.loc[[key not in only for key in zip(rows.study, rows.seed, strict=True)]]


def compare(rows: pd.DataFrame, plans: dict[str, Study], fewest: int = 2) -> pd.DataFrame:
    """Compare each contender with the plain network: mean difference, half-width of its interval, corrected p-value.

    The interval is Student's t interval of the paired differences. Holm's correction covers the contenders of a family
    in a study, separately for each quantity.

    Args:
        rows: of the table of runs.
        plans: the studies by name.
        fewest: seeds from which a difference is given, at least 2.
    """
    rows, found = counted(rows, plans), []
    for study, plan in plans.items():
        for quantity in QUANTITIES:
            for contender in plan.contenders[1:]:
                values = paired_differences(rows, study, contender.name, quantity)
                if len(values) < fewest:
                    continue
                mean, half, p = student(values)
                found.append(dict(study=study, family=contender.family, contender=contender.name, quantity=quantity,
                                  seeds=len(values), mean=mean, half=half, p=p))
    table = pd.DataFrame(found, columns=['study', 'family', 'contender', 'quantity', 'seeds', 'mean', 'half', 'p'])
    planned = {(study, family): sum(each.family == family for each in plan.contenders[1:])
               for study, plan in plans.items() for family in {each.family for each in plan.contenders}}
    table['corrected'] = table.groupby(['study', 'family', 'quantity']).p.transform(
        lambda p: holm(p, planned[tuple(table.loc[p.index[0], ['study', 'family']])]))
    return table


def holm(p: pd.Series, size: int) -> pd.Series:
    """Holm's step-down correction of p-values (Scandinavian Journal of Statistics 6:65, 1979).

    Args:
        p: raw p-values of a family; NaN, from identical differences, stays NaN.
        size: planned size of the family. Contenders that have not run count as not significant.

    Returns:
        Corrected p-values, at most 1, with the index of ``p``.
    """
    ordered = p.dropna().sort_values()
    factors = size - np.arange(len(ordered))
    return np.minimum(1, (ordered * factors).cummax()).reindex(p.index)
