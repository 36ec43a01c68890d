"""From a config to a finished run: detection, segmentation, classification, on CPU or GPU, in one process or many."""
from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from .. import preflight
from ..checkpoint import sources
from ..checkpoint.newest import newest
from ..checkpoint.writing import PART
from ..compat import logger
from ..errors import UsageError, is_first_process
from ..failures import readable_errors
from ..preflight.structure import check_complete
from . import distributed
from .config import default_work_dir, load_config
from .hooks import attention_log
from .intervals import of_few
from .main_metric import MAIN_METRICS, is_percent
from .resume import go_on


def train(config: str, work_dir: str | None = None, resume: str | None = None, overwrite: bool = False,
          amp: bool = False, auto_scale_lr: bool = False, cfg_options: dict[str, Any] | None = None,
          launcher: str = 'none', plugin: str | None = None, skip_bad_images: bool = False,
          tensorboard: bool = False) -> Path:
    """Train a model.

    Args:
        config: see :func:`config.load_config`.
        work_dir: folder for logs and checkpoints; by default the config's, else ``work_dirs/NAME_OF_CONFIG``.
        resume: ``'auto'`` goes on from the newest checkpoint in the work directory; a path from that file.
        overwrite: drop the checkpoints of an earlier run in the work directory.
        amp: mixed precision; needs a GPU.
        auto_scale_lr: scale the learning rate by the real batch size over the config's base batch size.
        cfg_options: entries that override the config's.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        plugin: see :func:`config.load_config`.
        skip_bad_images: leave out training images that are broken, and count them, where else the first one ends the
            run.
        tensorboard: write the scalars for TensorBoard as well.

    Returns:
        The work directory.

    Raises:
        UsageError: whatever ``preflight`` finds, before anything is written.
    """
    cfg = _prepared(config, cfg_options, plugin, work_dir, launcher, 'train')
    if amp:
        preflight.switch_on_amp(cfg)
    if auto_scale_lr:
        if not {'enable', 'base_batch_size'} <= set(cfg.get('auto_scale_lr') or {}):
            raise UsageError(f'--auto-scale-lr needs auto_scale_lr=dict(enable=False, base_batch_size=...) in {config}')
        cfg.auto_scale_lr.enable = True
    begun = _newest(Path(cfg.work_dir)) if resume == 'auto' else resume
    from . import safeguards
    from .transforms import images  # they need mmcv, which load_config has asked for
    safeguards.install(cfg, skip_bad_images, tensorboard)
    attention_log.install(cfg)
    processes = distributed.processes(launcher)
    with readable_errors(cfg):
        # with nothing to go on from, the config's own load_from holds
        hints = [] if begun is None else go_on(cfg, begun, processes)
        hints += preflight.check_train(cfg, processes, skip_bad_images, distributed.checks_data(launcher))
    directory = Path(cfg.work_dir)
    preflight.check_work_directory(directory, resume is not None, overwrite)
    fresh_start = resume is None and cfg.get('load_from')
    if overwrite and fresh_start and Path(cfg.load_from).resolve().parent == directory.resolve():
        raise UsageError(f'--overwrite would drop {cfg.load_from}, from which this run starts: '
                         'choose another --work-dir')
    model = preflight.check_build(cfg, ('train', 'val'))
    if begun is not None and '://' not in begun:
        preflight.check_training_state(begun, cfg, model)
    _warn([*hints, *preflight.check_room(directory, cfg, model)])
    del model
    distributed.end_with_launcher()
    distributed.prepare(cfg)
    if is_first_process():
        _drop(directory.glob(f'*{PART}'))
        if overwrite and resume is None:
            _drop([*directory.glob('*.pth'), directory / 'last_checkpoint', directory / images.SKIPPED])
    with readable_errors(cfg):
        runner = Runner.from_cfg(cfg)
    with readable_errors(cfg, runner.log_dir):
        runner.train()
    return directory


def whereabouts(directory: Path) -> str:
    """One line that says where everything of a finished training lies.

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
    """Look for what would end a training, without starting it or writing anything.

    Args:
        config: see :func:`config.load_config`.
        cfg_options: entries that override the config's.
        launcher: as for :func:`train`; nothing is launched.
        plugin: see :func:`config.load_config`.
        work_dir: as for :func:`train`.

    Raises:
        UsageError: the first thing that ``preflight`` finds.
    """
    cfg = _prepared(config, cfg_options, plugin, work_dir, launcher, 'train')
    with readable_errors(cfg):
        _warn(preflight.check_train(cfg, distributed.processes(launcher)))
        if any(cfg.get(f'test_{part}') != cfg.get(f'val_{part}') for part in ('dataloader', 'evaluator')):
            _warn(preflight.check_test(cfg))
    preflight.check_writable(Path(cfg.work_dir))
    _warn(preflight.check_room(Path(cfg.work_dir), cfg, preflight.check_build(cfg)))
    preflight.check_loaders(cfg)


def test(config: str, checkpoint: str, work_dir: str | None = None, out: str | None = None, show: bool = False,
         show_dir: str | None = None, wait_time: float = 2, tta: bool = False,
         cfg_options: dict[str, Any] | None = None, launcher: str = 'none', plugin: str | None = None
         ) -> dict[str, float]:
    """Test a checkpoint.

    Args:
        config: see :func:`config.load_config`.
        checkpoint: path or address of the weights.
        work_dir: folder for logs; by default the config's, else ``work_dirs/NAME_OF_CONFIG``.
        out: where the predictions go: a folder of label maps for a segmenter, else a ``.pkl`` file.
        show: show each picture in a window.
        show_dir: folder for pictures of the predictions beside the truth.
        wait_time: seconds that a window stays.
        tta: test-time augmentation; the config must have ``tta_model`` and ``tta_pipeline``.
        cfg_options: entries that override the config's.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        plugin: see :func:`config.load_config`.

    Returns:
        The metrics by name.

    Raises:
        UsageError: whatever ``preflight`` finds, before anything is written.
    """
    cfg = _prepared(config, cfg_options, plugin, work_dir, launcher, 'test')
    cfg.load_from = checkpoint
    scope = cfg.get('default_scope')
    segments = scope == 'mmseg'
    if out is not None and not segments and not out.endswith(('.pkl', '.pickle')):
        raise UsageError(f'--out {out}: the predictions of a {"classifier" if scope == "mmpretrain" else "detector"} '
                         'go into a .pkl file')
    if show or show_dir:
        _draw(cfg, show, show_dir, wait_time, scope)
    if tta:
        if not cfg.get('tta_model') or not cfg.get('tta_pipeline'):
            raise UsageError(f'--tta needs tta_model and tta_pipeline in {config}')
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    if out is not None and segments:
        cfg.test_evaluator.update(output_dir=out, keep_results=True)
    from .transforms import images
    images.install(cfg, skip=False)
    logger.write_in_one_process()
    sources.forget_pretrained(cfg.model)  # the checkpoint replaces those weights: do not fetch them
    with readable_errors(cfg):
        _warn(preflight.check_test(cfg, data=distributed.checks_data(launcher)))
    for folder in (cfg.work_dir, show_dir, out and (out if segments else Path(out).parent)):
        if folder is not None:
            preflight.check_writable(Path(folder))
    preflight.check_build(cfg, ('test',))
    distributed.end_with_launcher()
    distributed.prepare(cfg)
    if out is not None and segments:
        Path(out).mkdir(parents=True, exist_ok=True)  # mmseg's first process makes it, and the others may come earlier
    with readable_errors(cfg):
        runner = Runner.from_cfg(cfg)
    if out is not None and not segments:
        runner.test_evaluator.metrics.append(_dump(scope)(out_file_path=out))
    with readable_errors(cfg, runner.log_dir):
        metrics = runner.test()
    figures = [metrics[name] for name in MAIN_METRICS if name in metrics]
    images = len(runner.test_dataloader.dataset)
    _warn(words for figure in figures if (words := of_few(figure, is_percent(cfg), images)))
    return metrics


def _prepared(name: str, options: dict[str, Any] | None, plugin: str | None, work_dir: str | None,
              launcher: str, split: str) -> Config:
    """The config with what training and testing both set, its model checked."""
    config = load_config(name, options, plugin)
    check_complete(config, split)
    config.launcher = launcher
    config.work_dir = work_dir or config.get('work_dir') or str(default_work_dir(name))
    with readable_errors(config):
        preflight.check_model(config)
    sources.install()
    return config


def _dump(scope: str | None) -> type[DumpResults]:
    """What writes predictions into a file: mmdet's own packs masks, which take much room otherwise."""
    if scope == 'mmpretrain':
        return DumpResults
    from mmdet.evaluation import DumpDetResults
    return DumpDetResults


def _draw(config: Config, show: bool, show_dir: str | None, wait_time: float, scope: str | None) -> None:
    """Switch on the library's own hook that draws predictions beside the truth."""
    hook = (config.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UsageError('--show and --show-dir need default_hooks.visualization in the config')
    hook.update({'enable' if scope == 'mmpretrain' else 'draw': True}, show=show, wait_time=wait_time)
    folder = show_dir and str(Path(show_dir).absolute())
    if folder and scope == 'mmseg':
        config.visualizer.save_dir = folder
    elif folder:
        hook['out_dir' if scope == 'mmpretrain' else 'test_out_dir'] = folder


def _newest(directory: Path) -> str | None:
    """The newest whole checkpoint of a work directory, or None where there is none yet; broken ones are told."""
    path, passed_over = newest(directory)
    _warn(f'passed over: {reason}' for reason in passed_over)
    return path


def _warn(found: Iterable[str]) -> None:
    for line in found:
        if is_first_process():
            print(f'warning: {line}', file=sys.stderr)


def _drop(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
