"""Runs and tables of the study for its tests."""
import json

import pandas as pd
import studies
import study
import torch

COLUMNS = dict(worst=0.0, channel_spread=0.1, spatial_spread=0.1, activation_spread=0.1, parameters=100,
               date='2026-11-25', machine='a Xeon')


def run_of(name, contender, seed, work, table=studies.STUDIES):
    plan = table[name]
    every = {each.name: each for each in (*plan.contenders, studies.Contender('start', 'start', 'none'))}
    return study.Run(name, plan, every[contender], seed, work)


def table_of(**clean):
    """A table of runs of the detection study, with each contender's clean results by seed."""
    return pd.DataFrame([dict(study='detection', contender=name, seed=seed, clean=value, corrupted=value / 2, **COLUMNS)
                         for name, values in clean.items() for seed, value in enumerate(values)])


def finish(work, contender, seed):
    """Write the files that a run of the detection study leaves behind."""
    run = run_of('detection', contender, seed, work)
    run.robustness.parent.mkdir(parents=True)
    run.robustness.write_text(json.dumps(dict(metric='coco/bbox_mAP', clean=0.4, mpc=0.2, date='2026-11-25')))
    log = run.folder / '20261125_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(map(json.dumps, (
        {'iter': 50, 'loss': 1.0, 'step': 50},
        {'attention/first/channel_spread': 0.1, 'attention/second/channel_spread': 0.3,
         'attention/second/spatial_spread': 0.5, 'attention/second/activation_spread': 0.7,
         'attention/second/gate_spread': 9.0, 'step': 50},
        *({'coco/bbox_mAP': value, 'step': step} for step, value in enumerate((0.3, 0.2, 0.4, 0.4), 1))))))
    torch.save(dict(state_dict={'conv': torch.zeros(20), 'bn.running_mean': torch.zeros(5)}), run.weights)
    return run


def write_alignment(run, precision, area):
    """Write what the tool leaves behind: two maps of one stage, over all objects and over the small ones."""
    run.alignment.parent.mkdir(parents=True)
    rows = [dict(map=kind, stage=1, size=size, precision=precision if size == 'all' else 0.0, area=area)
            for kind in ('total', 'departure') for size in ('all', 'small')]
    run.alignment.write_text(json.dumps(dict(rows=rows)))
