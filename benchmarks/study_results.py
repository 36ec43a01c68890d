"""Results of the studies: a row for each run, and the paired differences with their intervals."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from measure import processor
from runs import ROOT
from scipy import stats
from studies import ATTENTIONS, PAPER, PLAIN, Study

from dmsca_mm import checkpoint
from dmsca_mm.analysis.report.logs import ATTENTION, History, read_history

if TYPE_CHECKING:
    from study import Run

SPREADS = ['channel_spread', 'spatial_spread', 'activation_spread']
ORDER = ['study', 'contender', 'seed', 'clean', 'corrupted', 'worst', *SPREADS, 'parameters', 'date', 'machine']
"""Columns of the table of runs. ``clean`` and ``corrupted`` are points of a hundred; ``corrupted`` is the mean over
corruptions and severities; ``worst`` is the lowest validation, empty if one was interrupted; ``SPREADS`` are the
standard deviations of A_c, A_s and α over an image at the end of the training, averaged over modules; 0 as long as
DMSCA is the identity."""
KEY = ORDER[:3]
"""Columns that identify a run."""
QUANTITIES = ('clean', 'corrupted')
"""Columns that are compared."""
COST = ROOT / 'benchmarks' / 'results' / 'cost_resnet50_cpu_fp32.csv'
STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')
LEVEL = 0.95


def row(run: Run) -> dict[str, Any]:
    """Return the row of a finished run."""
    measured = json.loads(run.robustness.read_text())
    history = read_history(run.folder)
    scale = run.plan.scale
    return dict(study=run.study, contender=run.contender.name, seed=run.seed, clean=scale * measured['clean'],
                corrupted=scale * measured['mpc'],
                worst=scale * _worst(history, measured['metric'], run.plan.validations),
                **_spreads(history), parameters=_parameters(run), date=measured['date'], machine=processor())


def _worst(history: History, metric: str, validations: int) -> float:
    values = [line.values[metric] for line in history.of('validation') if metric in line.values]
    return min(values) if len(values) == validations else np.nan


def _spreads(history: History) -> dict[str, float]:
    lines = history.of('attention')
    last = lines[-1].values if lines else {}
    by_kind = {kind: [value for name, value in last.items() if name.startswith(ATTENTION) and name.endswith(f'/{kind}')]
               for kind in SPREADS}
    return {kind: float(np.mean(values)) if values else np.nan for kind, values in by_kind.items()}


def _parameters(run: Run) -> int:
    weights = checkpoint.read(run.weights, 'meta')['state_dict']
    return sum(value.numel() for key, value in weights.items() if not key.endswith(STATISTICS))


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


def counted(rows: pd.DataFrame, plans: dict[str, Study]) -> pd.DataFrame:
    """Return the rows of the table of runs without those of seeds that only test a hint."""
    only = {(study, seed) for study, plan in plans.items() for seed in plan.reserved()}
    return rows.loc[[key not in only for key in zip(rows.study, rows.seed, strict=True)]]


def compare(rows: pd.DataFrame, plans: dict[str, Study]) -> pd.DataFrame:
    """Compare each contender with the plain network: mean difference, half-width of its interval, corrected p-value.

    The interval is Student's t interval of the paired differences. Holm's correction covers the contenders of a family
    in a study, separately for each quantity.

    Args:
        rows: of the table of runs.
        plans: the studies by name.
    """
    rows, found = counted(rows, plans), []
    for study, plan in plans.items():
        for quantity in QUANTITIES:
            for contender in plan.contenders[1:]:
                values = paired_differences(rows, study, contender.name, quantity)
                if len(values) < 2:
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


def costs() -> dict[str, tuple[float, float]]:
    """Return each contender's training and inference time in a ResNet-50, relative to the plain network."""
    table = pd.read_csv(COST)
    table = table[table.note.isna()].set_index('contender')
    names = {each.name: 'DMSCA fast' if each.name.startswith('dmsca') else each.label for each in (*ATTENTIONS, PAPER)}
    return {name: (table.train_ratio[label], table.inference_ratio[label]) for name, label in names.items()
            if label in table.index}
