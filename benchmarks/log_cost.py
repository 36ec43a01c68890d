"""Measure what logging its attention costs a training: ``python benchmarks/log_cost.py CONFIG``.

Plain steps alternate with steps that are monitored and logged; the extra time occurs once per log interval.
"""
from __future__ import annotations

import argparse
import statistics
import time

from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, init_default_scope

from dmsca_mm.attention.dmsca.monitor import watching
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.preflight import check_build
from dmsca_mm.runtime.config import load_config


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description='Measure what logging its attention costs a training',
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('config', help='of a detector or segmenter with DMSCA; its training data must exist')
    parser.add_argument('--rounds', type=int, default=30, help='pairs of steps')
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    init_default_scope(config.default_scope)
    model = check_build(config)
    model.init_weights()
    model.train()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = pseudo_collate([dataset[place] for place in range(config.train_dataloader.batch_size)])

    def plain() -> None:
        model.train_step(batch, optimizer)

    def logged() -> None:
        with watching(model) as watch:
            model.train_step(batch, optimizer)
        watch.statistics()
    seconds = {step: [] for step in (plain, logged)}
    for _ in range(arguments.rounds + 1):  # the first round warms up
        for step, taken in seconds.items():
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    step = statistics.median(seconds[plain][1:])
    extra = statistics.median(b - a for a, b in zip(*(taken[1:] for taken in seconds.values()), strict=True))
    interval = config.default_hooks.logger.get('interval', 10)
    print(f'a step takes {1000 * step:.0f} ms; monitoring and logging it takes {1000 * extra:.0f} ms more, once in '
          f'{interval} steps: {100 * extra / (interval * step):.2f} % of the time')


if __name__ == '__main__':
    exit_on_usage_error(main)
