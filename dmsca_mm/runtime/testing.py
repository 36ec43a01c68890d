"""Test a checkpoint: metrics, predictions and pictures, on CPU or GPU, in one or several processes."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from .. import preflight
from ..checkpoint import sources
from ..compat import logger
from ..errors import UsageError
from ..failures import readable_errors
from ..preflight.config_parts import metrics as metrics_of
from ..preflight.config_parts import name_of
from . import distributed
from .intervals import of_few
from .main_metric import MAIN_METRICS, is_percent
from .run import prepared, warn


def test(config: str, checkpoint: str, work_dir: str | None = None, out: str | None = None, show: bool = False,
         show_dir: str | None = None, wait_time: float = 2, tta: bool = False,
         cfg_options: dict[str, Any] | None = None, launcher: str = 'none', plugin: str | None = None
         ) -> dict[str, float]:
    """Test a checkpoint.

    Args:
        config: see :func:`config.load_config`.
        checkpoint: path or address of the weights.
        work_dir: folder for logs; by default the config's, else ``work_dirs/NAME_OF_CONFIG``.
        out: output for the predictions: a folder of label maps for a segmenter, else a ``.pkl`` or ``.pickle`` file.
        show: show each picture in a window.
        show_dir: folder for pictures of the predictions next to the ground truth.
        wait_time: seconds to show each window.
        tta: test-time augmentation; the config must have ``tta_model`` and ``tta_pipeline``.
        cfg_options: entries that override the config's.
        launcher: ``'none'``, ``'pytorch'`` or ``'slurm'``.
        plugin: see :func:`config.load_config`.

    Returns:
        The metrics by name.

    Raises:
        UsageError: any problem that ``preflight`` finds, before anything is written.
    """
    cfg = prepared(config, cfg_options, plugin, work_dir, launcher, 'test')
    cfg.load_from, cfg.resume = checkpoint, False  # the config of a resumed run may name another
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
        writers = sorted(metrics_of(cfg, 'test_dataloader'), key=lambda metric: name_of(metric) != 'IoUMetric')
        if not writers:
            raise UsageError('--out needs a metric in test_evaluator, such as IoUMetric, which writes the label maps')
        writers[0].update(output_dir=out, keep_results=True)
    from .transforms import images
    images.install(cfg, ('test',))
    logger.write_in_one_process()
    sources.forget_pretrained(cfg.model)  # the checkpoint replaces these weights: do not download them
    with readable_errors(cfg, split='test'):
        warn(preflight.check_test(cfg, data=distributed.checks_data(launcher)))
    for folder in (cfg.work_dir, show_dir, out and (out if segments else Path(out).parent)):
        if folder is not None:
            preflight.check_writable(Path(folder))
    preflight.check_build(cfg, ('test',))
    distributed.end_with_launcher()
    distributed.prepare(cfg)
    if out is not None and segments:
        Path(out).mkdir(parents=True, exist_ok=True)  # in mmseg only rank 0 creates it, maybe after another rank writes
    with readable_errors(cfg, split='test'):
        runner = Runner.from_cfg(cfg)
    if out is not None and not segments:
        runner.test_evaluator.metrics.append(_dump(scope)(out_file_path=out))
    with readable_errors(cfg, runner.log_dir, 'test'):
        metrics = runner.test()
    figures = [metrics[name] for name in MAIN_METRICS if name in metrics]
    tested = len(runner.test_dataloader.dataset)
    warn(words for figure in figures if (words := of_few(figure, is_percent(cfg), tested)))
    return metrics


def _dump(scope: str | None) -> type[DumpResults]:
    """Return the metric that writes predictions to a file; mmdet's own compresses masks, which are large otherwise."""
    if scope == 'mmpretrain':
        return DumpResults
    from mmdet.evaluation import DumpDetResults
    return DumpDetResults


def _draw(config: Config, show: bool, show_dir: str | None, wait_time: float, scope: str | None) -> None:
    """Enable the library's hook that draws predictions next to the ground truth."""
    hook = (config.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UsageError('--show and --show-dir need default_hooks.visualization in the config')
    hook.update({'enable' if scope == 'mmpretrain' else 'draw': True}, show=show, wait_time=wait_time,
                interval=1)  # the config's is for training
    folder = show_dir and str(Path(show_dir).absolute())
    if folder and scope == 'mmseg':
        config.visualizer.save_dir = folder
    elif folder:
        hook['out_dir' if scope == 'mmpretrain' else 'test_out_dir'] = folder
