"""Measure a config's training iterations on random images: time, peak memory and GPU kernel launches."""
from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS, OPTIM_WRAPPERS
from mmengine.runner import Runner
from profiles import MEGABYTE, most_allocated, trace
from setting import Row
from torch import nn

from dmsca_mm.runtime import run

LEAST = 10
"""Iterations that are measured even if time is short."""
NEVER = 10 ** 6
"""An interval in epochs or iterations that no run reaches."""
WIDTHS = [64, 128, 256, 512]
DETECTOR = {'model.neck.in_channels': WIDTHS, 'model.neck.out_channels': 32,
            'train_dataloader.dataset.pipeline.2.scale': (96, 64)}
THIN = {
    '': {'model.backbone.base_channels': 16, 'model.backbone.stem_channels': 16, 'train_dataloader.batch_size': 2,
         'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False},
    'faster': {**DETECTOR, 'model.rpn_head.in_channels': 32, 'model.rpn_head.feat_channels': 32,
               'model.roi_head.bbox_roi_extractor.out_channels': 32, 'model.roi_head.bbox_head.in_channels': 32,
               'model.roi_head.bbox_head.fc_out_channels': 64, 'model.train_cfg.rpn_proposal.max_per_img': 20},
    'retinanet': {**DETECTOR, 'model.bbox_head.in_channels': 32, 'model.bbox_head.feat_channels': 32},
    'upernet': {'model.decode_head.in_channels': WIDTHS, 'model.decode_head.channels': 32,
                'model.auxiliary_head.in_channels': WIDTHS[2], 'model.auxiliary_head.channels': 32,
                'train_dataloader.dataset.pipeline.2.scale': (128, 64), 'model.data_preprocessor.size': (64, 64),
                'train_dataloader.dataset.pipeline.3.crop_size': (64, 64)},
}
"""Config entries for a trial on a CPU, for all models and for each: reduced width, small images."""


@dataclass(frozen=True)
class Training:
    """A training to measure: a config with a plugin in a precision.

    Attributes:
        config: its path.
        plugin: a key of ``dmsca_mm.plugins.PLUGINS``.
        dtype: ``'fp32'`` or ``'amp'``, mixed precision.
        data: folder of the training images.
        iterations: to be measured, at least 1.
        warm_up: iterations before those, at least 1.
        thin: whether to reduce the model and its images with ``THIN``.
    """

    config: str
    plugin: str
    dtype: str
    data: str
    iterations: int
    warm_up: int = 5
    thin: bool = False

    @property
    def model(self) -> str:
        """The first word of the config's name, such as ``'retinanet'``."""
        return Path(self.config).name.split('_')[0]

    def options(self) -> dict[str, Any]:
        """Return config entries for a run on random images without validation or checkpoints."""
        options = {f'val_{key}': None for key in ('cfg', 'dataloader', 'evaluator')}
        options |= {'train_dataloader.dataset.data_root': self.data, 'default_hooks.checkpoint': None,
                    'default_hooks.logger.interval': NEVER, 'visualizer.vis_backends': [], 'randomness.seed': 0}
        if self.model == 'upernet':
            options |= {'model.pretrained': None, 'train_cfg.max_iters': NEVER}
        else:
            options |= {'model.backbone.init_cfg': None, 'train_cfg.max_epochs': NEVER}
        if self.dtype == 'amp' and not torch.cuda.is_available():
            options |= {'optim_wrapper.type': BackboneAutocast.__name__}
        return options | (THIN[''] | THIN[self.model] if self.thin else {})


def measure_training(training: Training, seconds: float, work_dir: Path, launcher: str) -> Row:
    """Train for a few iterations.

    Args:
        training: what is trained.
        seconds: time limit; fewer iterations are measured to meet it, but at least ``LEAST``.
        work_dir: for the run's logs.
        launcher: ``'none'`` or ``'pytorch'``.

    Returns:
        Measured iterations, their median time and its quartiles in milliseconds, the peak memory of a process in MB,
        the kernel launches of an iteration, the images per process and step, and the number of processes.
    """
    if torch.cuda.is_available():  # memory of an earlier training must not count
        gc.collect()
        torch.cuda.empty_cache()
    hook = dict(type=MeasureIterations.__name__, wanted=training.iterations, warm_up=training.warm_up,
                end=time.monotonic() + seconds)
    try:
        with patch.object(Config, 'pretty_text', ''):  # nobody reads it, and formatting it takes a second
            run.train(training.config, str(work_dir), plugin=training.plugin, launcher=launcher,
                         amp=training.dtype == 'amp' and torch.cuda.is_available(),
                         cfg_options={**training.options(), 'custom_hooks': [hook]})
    except Enough as enough:
        return enough.row
    raise RuntimeError(f'{training.config} ended before {training.iterations} iterations')


class Enough(Exception):
    """Raised to end a run once its iterations are measured.

    Args:
        row: what was measured.
    """

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.row = row


@HOOKS.register_module()
class MeasureIterations(Hook):
    """Measure a run's iterations after a warm-up, profile one more, and end the run with ``Enough``.

    The time is that of the training step, without data loading.

    Args:
        wanted: iterations to measure.
        warm_up: iterations before those.
        end: ``time.monotonic()`` at which the run should end.
    """

    priority = 'HIGHEST'

    def __init__(self, wanted: int, warm_up: int, end: float) -> None:
        self.wanted, self.warm_up, self.end = wanted, warm_up, end
        self.times: list[float] = []
        self.profile: torch.profiler.profile | None = None
        self.begun = 0.0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start the clock, or the profiler."""
        if not self.times:
            self.first = time.monotonic()
        if len(self.times) == self.warm_up + self.wanted:
            self.profile = torch.profiler.profile(profile_memory=True)
            self.profile.start()
        _synchronize()
        self.begun = time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, torch.Tensor] | None = None) -> None:
        """Read the clock; plan after the warm-up; end after the profile."""
        _synchronize()
        self.times.append(time.perf_counter() - self.begun)
        if len(self.times) == self.warm_up:
            self._plan()
        if self.profile is not None:
            self.profile.stop()
            raise Enough(self._row(runner))

    def _plan(self) -> None:
        """Reduce the iterations to what the time allows, to the same number in all processes."""
        now = time.monotonic()
        an_iteration = (now - self.first) / self.warm_up  # includes data loading
        fitting = torch.tensor(int((self.end - now) / an_iteration))
        all_reduce(fitting, 'min')
        self.wanted = min(self.wanted, max(LEAST, int(fitting)))
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def _row(self, runner: Runner) -> Row:
        measured = np.multiply(self.times[self.warm_up:-1], 1e3)
        low, median, high = np.percentile(measured, (25, 50, 75)).round(3).tolist()
        events = trace(self.profile)
        peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else most_allocated(events)
        return dict(iterations=len(measured), iteration_ms=median, iteration_ms_q1=low, iteration_ms_q3=high,
                    peak_mb=round(peak / MEGABYTE, 1), launches=sum(event.get('cat') == 'kernel' for event in events),
                    batch=runner.train_dataloader.batch_sampler.batch_size, processes=get_world_size())


@OPTIM_WRAPPERS.register_module()
class BackboneAutocast(OptimWrapper):
    """Mixed precision for a trial without a GPU: bfloat16 in the backbone only.

    mmengine's AmpOptimWrapper needs a GPU, and several operators of the heads have no 16-bit CPU kernel.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Return the context for a forward pass."""
        plain = model.backbone.forward

        def forward(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with torch.autocast('cpu'):
                return tuple(value.float() for value in plain(x))
        model.backbone.forward = forward
        try:
            with super().optim_context(model):
                yield
        finally:
            model.backbone.forward = plain


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
