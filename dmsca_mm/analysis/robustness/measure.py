"""A model's performance under the common corruptions, measured with its config's own test."""
from __future__ import annotations

import copy
import hashlib
import json
import os
import signal
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from tqdm import tqdm

from ... import checkpoint, preflight
from ...checkpoint import sources
from ...errors import Stopped, UsageError
from ...runtime.config import default_work_dir, load_config
from ...runtime.intervals import of_few
from ...runtime.main_metric import MAIN_METRICS, is_percent
from . import GROUPS, SEVERITIES, Summary, check_severities, chosen, library
from .cells import CLEAN, Cell, Cells, Metrics
from .files import write_results
from .pool import deal

MOST_PROCESSES = 8
"""Without a GPU and unless ``--processes`` is given, no more: each has a copy of the model and of its images."""


def measure(config: str, weights: str, out: str | None = None, corruptions: Sequence[str] = tuple(GROUPS),
            severities: Sequence[int] = SEVERITIES, metric: str | None = None, processes: int | None = None,
            overwrite: bool = False, images: int | None = None, cfg_options: dict[str, Any] | None = None,
            plugin: str | None = None) -> Summary:
    """Test a checkpoint on clean and on corrupted images, and write table, picture and JSON.

    Every test is stored as it ends, and a later call, also one that asks for more, takes it from there. It starts
    processes of its own: a script that calls it needs ``if __name__ == '__main__':``.

    Args:
        config: see :func:`config.load_config`; with ``test_dataloader`` and ``test_evaluator``.
        weights: path of the checkpoint; it must be of a model of this config.
        out: folder of the results; None stands for ``work_dirs/NAME_OF_CONFIG/robustness``.
        corruptions: names, or names of groups.
        severities: of 1 to 5.
        metric: one of the evaluator's; more must be better. None stands for the first of :data:`MAIN_METRICS`.
        processes: at least 1; None stands for the number of GPUs, and without any for the CPU's cores, at most
            :data:`MOST_PROCESSES`.
        overwrite: drop earlier results in the folder.
        images: how many of the test data, from the first; None for all.
        cfg_options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Raises:
        UsageError: a name, a number, config, data or checkpoint that will not do; results of another model in the
            folder; a process died. What was done is stored.
        Stopped: by Ctrl-C; what was done is stored.
    """
    names = chosen(corruptions)
    check_severities(severities)
    if processes is not None and processes < 1:
        raise UsageError(f'--processes {processes} must be at least 1')
    library()
    cfg = _checked(config, cfg_options, plugin)
    from .evaluation import Evaluation  # it needs mmcv, which load_config has asked for
    from .subset import take_first  # as above
    tested = take_first(cfg, images)
    if images is not None:
        cfg_options = {**(cfg_options or {}), 'test_dataloader.dataset.indices': images}
    identity = _identity(cfg, weights)
    folder = Path(out) if out else default_work_dir(config) / 'robustness'
    cells = Cells(folder / 'cells', identity)
    done = {} if overwrite else cells.read()
    wanted = [CLEAN, *((name, severity) for severity in sorted(set(severities)) for name in names)]
    missing = [cell for cell in wanted if cell not in done]
    processes = processes or torch.cuda.device_count() or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    start = partial(Evaluation, config, weights, cfg_options, plugin, min(processes, len(missing)) == 1)
    name = _metric(done[CLEAN], metric) if CLEAN in done else None
    try:
        with (tqdm(total=len(wanted), initial=len(wanted) - len(missing), unit='test', desc='corruptions', leave=False)
              as bar, closing(deal(start, missing, processes)) as results):
            for cell, metrics in results:
                if overwrite:  # not before the new model has shown that it works
                    cells.drop()
                    overwrite = False
                cells.write(cell, metrics)
                done[cell] = metrics
                if cell == CLEAN:
                    name = _metric(metrics, metric)
                bar.update()
    except KeyboardInterrupt:
        there = sum(cell in done for cell in wanted)
        raise Stopped(f'stopped: {there} of {len(wanted)} tests are stored in {cells.folder}; the same command goes on '
                      'with the rest', signal.SIGINT) from None
    values = {cell: _value(done[cell], name, cell) for cell in wanted}
    unit = '%' if is_percent(cfg) else ''
    clean = values.pop(CLEAN)
    summary = Summary(name, unit, clean, values, of_few(clean, bool(unit), tested))
    source = dict(config=config, checkpoint=weights)
    write_results(folder, summary, done, {**source, **{f'{key}_sha256': value for key, value in identity.items()}})
    return summary


def _checked(name: str, options: dict[str, Any] | None, plugin: str | None) -> Config:
    """The config, after everything that can be known before a process is started."""
    config = load_config(name, options, plugin)
    from .transform import insert  # as above
    preflight.check_model(config)
    config.load_from = None
    sources.forget_pretrained(config.model)
    if not config.get('test_dataloader') or not config.get('test_evaluator'):
        raise UsageError(f'{name} has no test_dataloader and test_evaluator: they name the test data and the metrics')
    if not insert(copy.deepcopy(config.test_dataloader), {}):
        raise UsageError(f'test_dataloader in {name} has no pipeline that loads an image from a file')
    preflight.check_test(config)
    return config


def _identity(config: Config, weights: str) -> dict[str, str]:
    """Hashes of all that a result follows from, beside the versions of the libraries."""
    checkpoint.read(weights)
    entries, loader = config.to_dict(), config.test_dataloader
    parts = dict(model=entries['model'], evaluator=entries['test_evaluator'],
                 data=entries['test_dataloader']['dataset'], batch_size=loader.get('batch_size'),
                 fp16=bool((config.get('test_cfg') or {}).get('fp16')))
    text = json.dumps(parts, sort_keys=True, default=str)
    return dict(checkpoint=checkpoint.sha256(weights), config=hashlib.sha256(text.encode()).hexdigest())


def _metric(clean: Metrics, asked: str | None) -> str:
    """The name of the metric that is compared.

    Raises:
        UsageError: there is no such metric, or none of those that are known.
    """
    if not clean:
        raise UsageError('the model finds nothing on the images as they are: there is no performance to compare with')
    found = [name for name in ([asked] if asked else MAIN_METRICS) if clean.get(name) is not None]
    if not found:
        raise UsageError(f'the test gives no metric {asked or ", ".join(MAIN_METRICS)}: choose --metric among '
                         f'{", ".join(clean)}')
    return found[0]


def _value(metrics: Metrics, name: str, cell: Cell) -> float:
    """The metric of a cell; 0 where a detector found nothing in any image, for which mmdet gives no metrics at all.

    Raises:
        UsageError: the metric is not a number.
    """
    value = metrics.get(name) if metrics else 0.0
    if value is None:
        raise UsageError(f'{name} is not a number for {cell[0]} of severity {cell[1]}: choose another --metric')
    return value
