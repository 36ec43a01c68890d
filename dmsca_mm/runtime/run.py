"""Train a model, or check its config before training; testing.py tests a model."""
from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from .. import preflight
from ..checkpoint import sources
from ..checkpoint.newest import newest
from ..checkpoint.writing import PART
from ..errors import UsageError, is_first_process
from ..failures import readable_errors
from ..preflight.structure import check_complete
from . import distributed
from .config import default_work_dir, load_config
from .hooks import attention_log
from .resume import go_on


def train(config: str, work_dir: str | None = None, resume: str | None = None, overwrite: bool = False,
          amp: bool = False, auto_scale_lr: bool = False, cfg_options: dict[str, Any] | None = None,
          launcher: str = 'none', plugin: str | None = None, skip_bad_images: bool = False,
          track: str | None = None) -> Path:
    """Train a model.

    Args:
        config: see :func:`config.load_config`.
        work_dir: folder for logs and checkpoints; by default the config's, else ``work_dirs/NAME_OF_CONFIG``.
        resume: ``'auto'`` resumes from the newest checkpoint in the work directory, a path from that file.
        overwrite: delete the checkpoints of an earlier run in the work directory.
        amp: mixed precision; needs a GPU.
        auto_scale_lr: scale the learning rate by the real batch size over the config's base batch size.
        cfg_options: entries that override the config's.
        launcher: ``'none'``, ``'pytorch'`` or ``'slurm'``.
        plugin: see :func:`config.load_config`.
        skip_bad_images: skip and count broken training images; by default the first one ends the run.
        track: a key of :data:`tracking.TRACKERS`: an experiment tracker that also logs the run.

    Returns:
        The work directory.

    Raises:
        UsageError: any problem that ``preflight`` finds, before anything is written.
    """
    cfg = prepared(config, cfg_options, plugin, work_dir, launcher, 'train')
    if amp:
        preflight.switch_on_amp(cfg)
    if auto_scale_lr:
        if not {'enable', 'base_batch_size'} <= set(cfg.get('auto_scale_lr') or {}):
            raise UsageError(f'--auto-scale-lr needs auto_scale_lr=dict(enable=False, base_batch_size=...) in {config}')
        cfg.auto_scale_lr.enable = True
    if cfg.get('resume'):  # as in the config that a resumed run of mmdet's or mmseg's own tools stored
        if resume is None:
            resume = cfg.get('load_from') or 'auto'
            path = '' if resume == 'auto' else f' {resume}'
            warn([f'resume=True in {config}: resuming as with --resume{path}; --cfg-options resume=False '
                  'load_from=None begins a new run'])
        cfg.resume, cfg.load_from = False, None
    start = cfg.get('load_from')
    directory, folders = Path(cfg.work_dir), preflight.checkpoint_folders(cfg)
    begun = _newest(folders) if resume == 'auto' else resume
    continues = resume == 'auto' or (begun is not None and Path(begun).expanduser().resolve().parent
                                     in map(Path.resolve, folders))
    from . import safeguards, tracking
    from .transforms import images  # they need mmcv, which load_config has checked
    safeguards.install(cfg, skip_bad_images)
    if track is not None:
        tracking.install(cfg, track, begun is not None)
    attention_log.install(cfg)
    processes = distributed.processes(launcher)
    with readable_errors(cfg):
        # without a checkpoint to resume from, the config's own load_from applies
        hints = [] if begun is None else go_on(cfg, begun, processes)
        hints += preflight.check_train(cfg, processes, skip_bad_images, distributed.checks_data(launcher))
    for folder in folders:
        preflight.check_checkpoint_folder(folder, continues, overwrite)
    for weights in preflight.local_weights(cfg) if overwrite and not continues else ():
        if Path(weights).expanduser().resolve().parent in map(Path.resolve, folders):
            raise UsageError(f'--overwrite would drop {weights}, from which this run starts: choose another --work-dir')
    model = preflight.check_build(cfg, ('train', 'val'))
    if begun is not None and '://' not in begun:
        preflight.check_training_state(begun, cfg, model)
    warn([*hints, *preflight.check_room(folders[-1], cfg, model)])
    del model
    distributed.end_with_launcher()
    distributed.prepare(cfg)
    distributed.check_same_beginning(begun)
    if is_first_process():
        _drop(path for folder in folders for path in folder.glob(f'*{PART}'))
        if overwrite and not continues:
            _drop([path for folder in folders for path in folder.glob('*.pth')])
            _drop([directory / 'last_checkpoint', directory / images.SKIPPED])
    with readable_errors(cfg):
        runner = Runner.from_cfg(cfg)
    if begun is not None:
        # A later run with the stored config must not resume from the same checkpoint again. The copy beside the log
        # keeps it, as a record.
        runner.cfg.resume, runner.cfg.load_from = False, start
        runner.dump_config()
    with readable_errors(cfg, runner.log_dir):
        runner.train()
    return directory


def whereabouts(directory: Path) -> str:
    """Return one line that says where the results of a training run are.

    Args:
        directory: what :func:`train` returned.
    """
    from .transforms import images
    parts = [f'trained: logs and checkpoints are in {directory}']
    if list(directory.glob('*/vis_data/events.out.tfevents.*')):
        parts.append(f'curves: tensorboard --logdir {directory}')
    if left_out := images.skipped(directory):
        parts.append(f'{left_out} bad image(s) were left out, see {directory / images.SKIPPED}')
    return '; '.join(parts)


def check(config: str, cfg_options: dict[str, Any] | None = None, launcher: str = 'none', plugin: str | None = None,
          work_dir: str | None = None) -> None:
    """Check for problems that would end a training run, without starting it or writing anything.

    Args:
        config: see :func:`config.load_config`.
        cfg_options: entries that override the config's.
        launcher: as for :func:`train`; nothing is launched.
        plugin: see :func:`config.load_config`.
        work_dir: as for :func:`train`.

    Raises:
        UsageError: the first problem that ``preflight`` finds.
    """
    cfg = prepared(config, cfg_options, plugin, work_dir, launcher, 'train')
    with readable_errors(cfg):
        warn(preflight.check_train(cfg, None if launcher == 'none' else distributed.processes(launcher)))
        if any(cfg.get(f'test_{part}') != cfg.get(f'val_{part}') for part in ('dataloader', 'evaluator')):
            warn(preflight.check_test(cfg))
    folders = preflight.checkpoint_folders(cfg)
    for folder in folders:
        preflight.check_writable(folder)
    warn(preflight.check_room(folders[-1], cfg, preflight.check_build(cfg)))
    preflight.check_loaders(cfg)


def prepared(name: str, options: dict[str, Any] | None, plugin: str | None, work_dir: str | None,
             launcher: str, split: str) -> Config:
    """Return a config with the settings shared by training and testing, and check its model.

    Args:
        name: see :func:`config.load_config`.
        options: ``cfg_options`` of :func:`train`.
        plugin: see :func:`config.load_config`.
        work_dir: as for :func:`train`.
        launcher: as for :func:`train`.
        split: ``'train'`` or ``'test'``; the config must have its entries.
    """
    config = load_config(name, options, plugin)
    check_complete(config, split)
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or str(default_work_dir(name))
    with readable_errors(config):
        preflight.check_model(config)
    sources.install()
    return config


def _newest(folders: list[Path]) -> str | None:
    """Return the newest complete checkpoint in the folders of a run, or None. Warn about newer broken ones."""
    path, passed_over = newest(*folders)
    warn(f'passed over: {reason}' for reason in passed_over)
    return path


def warn(found: Iterable[str]) -> None:
    """Print warnings in the first process.

    Args:
        found: lines.
    """
    for line in found:
        if is_first_process():
            print(f'warning: {line}', file=sys.stderr)


def _drop(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
