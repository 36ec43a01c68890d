"""Measure a model's performance under the common corruptions with its config's own test."""
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
from tempfile import TemporaryDirectory
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
"""Default limit of processes without a GPU; each holds a copy of the model and of its images."""


def measure(config: str, weights: str, out: str | None = None, corruptions: Sequence[str] = tuple(GROUPS),
            severities: Sequence[int] = SEVERITIES, metric: str | None = None, processes: int | None = None,
            overwrite: bool = False, images: int | None = None, cfg_options: dict[str, Any] | None = None,
            plugin: str | None = None) -> Summary:
    """Test a checkpoint on clean and on corrupted images, and write table, picture and JSON.

    Every test is stored when it ends, and later calls reuse it, also if they request more tests. The function starts
    processes, so a script that calls it needs ``if __name__ == '__main__':``.

    Args:
        config: see :func:`config.load_config`; with ``test_dataloader`` and ``test_evaluator``.
        weights: path of the checkpoint; it must be of a model of this config.
        out: folder of the results; defaults to ``work_dirs/NAME_OF_CONFIG/robustness``.
        corruptions: names of corruptions or groups.
        severities: severities from 1 to 5.
        metric: a metric of the evaluator; higher must be better. Defaults to the first available :data:`MAIN_METRICS`.
        processes: at least 1. Defaults to the number of GPUs or, without a GPU, of CPU cores, at most
            :data:`MOST_PROCESSES`.
        overwrite: drop earlier results in the folder.
        images: number of test images, at even intervals; None for all.
        cfg_options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Raises:
        UsageError: a name, number, config, data set or checkpoint is invalid, the folder has results of another model,
            or a process died. Finished tests are stored.
        Stopped: Ctrl-C was pressed; finished tests are stored.
    """
    names = chosen(corruptions)
    check_severities(severities)
    if processes is not None and processes < 1:
        raise UsageError(f'--processes {processes} must be at least 1')
    library()
    cfg = _checked(config, cfg_options, plugin)
    from .evaluation import Evaluation  # needs mmcv, which load_config has checked for
    from .subset import take  # as above
    tested = take(cfg, images)
    if images is not None:
        cfg_options = {**(cfg_options or {}), 'test_dataloader.dataset.indices': cfg.test_dataloader.dataset.indices}
    identity = _identity(cfg, weights)
    folder = Path(out) if out else default_work_dir(config) / 'robustness'
    cells = Cells(folder / 'cells', identity)
    done = {} if overwrite else cells.read()
    wanted = [CLEAN, *((name, severity) for severity in sorted(set(severities)) for name in names)]
    missing = [cell for cell in wanted if cell not in done]
    processes = processes or torch.cuda.device_count() or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    alone, name = min(processes, len(missing)) == 1, _metric(done[CLEAN], metric) if CLEAN in done else None
    try:
        with (TemporaryDirectory() as scratch,
              tqdm(total=len(wanted), initial=len(wanted) - len(missing), unit='test', desc='corruptions', leave=False)
              as bar, closing(deal(partial(Evaluation, config, weights, cfg_options, plugin, scratch, alone), missing,
                                   processes)) as results):
            for cell, metrics in results:
                if overwrite:  # only after the new model has produced a result
                    cells.drop()
                    overwrite = False
                cells.write(cell, metrics)
                done[cell] = metrics
                if cell == CLEAN:
                    name = _metric(metrics, metric)
                bar.update()
    except KeyboardInterrupt:
        there = sum(cell in done for cell in wanted)
        raise Stopped(f'stopped: {there} of {len(wanted)} tests are stored in {cells.folder}; the same command '
                      'continues with the rest', signal.SIGINT) from None
    values = {cell: _value(done[cell], name, cell) for cell in wanted}
    unit = '%' if is_percent(cfg) else ''
    clean = values.pop(CLEAN)
    summary = Summary(name, unit, clean, values, of_few(clean, bool(unit), tested))
    source = dict(config=config, checkpoint=weights)
    write_results(folder, summary, done, {**source, **{f'{key}_sha256': value for key, value in identity.items()}})
    return summary


def _checked(name: str, options: dict[str, Any] | None, plugin: str | None) -> Config:
    """Return the config after all checks that are possible before a process is started."""
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
    """Return hashes of everything that determines a result, except the versions of the libraries."""
    checkpoint.read(weights)
    entries, loader = config.to_dict(), config.test_dataloader
    parts = dict(model=entries['model'], evaluator=entries['test_evaluator'],
                 data=entries['test_dataloader']['dataset'], batch_size=loader.get('batch_size'),
                 fp16=bool((config.get('test_cfg') or {}).get('fp16')))
    text = json.dumps(parts, sort_keys=True, default=str)
    return dict(checkpoint=checkpoint.sha256(weights), config=hashlib.sha256(text.encode()).hexdigest())


def _metric(clean: Metrics, asked: str | None) -> str:
    """Return the name of the metric to compare.

    Raises:
        UsageError: there are no scalar metrics, or the test gives neither the requested nor a known one.
    """
    if not clean:
        raise UsageError('the model finds nothing on the clean images, or no metric is a number: there is no '
                         'performance to compare with')
    found = [name for name in ([asked] if asked else MAIN_METRICS) if clean.get(name) is not None]
    if not found:
        raise UsageError(f'the test gives no metric {asked or ", ".join(MAIN_METRICS)}: choose --metric among '
                         f'{", ".join(clean)}')
    return found[0]


def _value(metrics: Metrics, name: str, cell: Cell) -> float:
    """Return the metric of a cell; 0 if a detector found nothing in any image, for which mmdet gives no metrics.

    Raises:
        UsageError: the metric is not a number.
    """
    value = metrics.get(name) if metrics else 0.0
    if value is None:
        raise UsageError(f'{name} is not a number for {cell[0]} of severity {cell[1]}: choose another --metric')
    return value
