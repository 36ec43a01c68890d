"""Results of the studies: a row for each run, and what the networks cost."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from runs import ROOT
from setting import processor
from studies import ATTENTIONS, PAPER

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
COST = ROOT / 'benchmarks' / 'results' / 'cost_resnet50_cpu_fp32.csv'
STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')


def row(run: Run) -> dict[str, Any]:
    """Return the row of a finished run."""
    measured = json.loads(run.robustness.read_text())
    history = read_history(run.folder)
    scale = run.plan.scale
    machine = torch.cuda.get_device_name() if run.gpus else processor()
    return dict(study=run.study, contender=run.contender.name, seed=run.seed, clean=scale * measured['clean'],
                corrupted=scale * measured['mpc'],
                worst=scale * _worst(history, measured['metric'], run.plan.validations),
                **_spreads(history), parameters=_parameters(run), date=measured['date'], machine=machine)


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


def costs() -> dict[str, tuple[float, float]]:
    """Return each contender's training and inference time in a ResNet-50, relative to the plain network."""
    table = pd.read_csv(COST)
    table = table[table.note.isna()].set_index('contender')
    names = {each.name: 'DMSCA fast' if each.name.startswith('dmsca') else each.label for each in (*ATTENTIONS, PAPER)}
    return {name: (table.train_ratio[label], table.inference_ratio[label]) for name, label in names.items()
            if label in table.index}
