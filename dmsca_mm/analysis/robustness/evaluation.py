"""Test one trained model on its data under one corruption after another."""
from __future__ import annotations

import copy
import math
from typing import Any

import cv2
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import EVALUATOR
from mmengine.runner import Runner, autocast

from ...errors import ProcessError
from ...failures import readable_errors
from ...preflight.config_parts import FOLDERS, metrics
from ...runtime.transforms import images
from ..inference import open_model
from .cells import CLEAN, Cell, Metrics
from .subset import score_alone
from .transform import CorruptImage, insert


class Evaluation:
    """A model that is loaded once. Calling it with (corruption, severity) returns the scalar metrics of its evaluator.

    Args:
        config: see :func:`config.load_config`.
        weights: path of the checkpoint; it must be of a model of this config.
        options: entries that override the config's.
        plugin: see :func:`config.load_config`.
        scratch: folder for what the metrics write; each process has one of its own in it.
        alone: whether this is the only process. Without a GPU, it may then use several threads and data workers.
        number: number of this process, from 0; it selects the GPU.

    Raises:
        UsageError: as :func:`inference.open_model`.
    """

    def __init__(self, config: str, weights: str, options: dict[str, Any] | None, plugin: str | None, scratch: str,
                 alone: bool, number: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_device(number % torch.cuda.device_count())
        elif not alone:
            torch.set_num_threads(1)
            cv2.setNumThreads(1)
        self.config, self.model = open_model(config, weights, options, plugin)
        self.loader = self.config.test_dataloader
        if not alone and not torch.cuda.is_available():
            self.loader.update(num_workers=0, persistent_workers=False)
        images.replace_loaders(self.loader, {})
        # Some metrics read back what they wrote, and all processes would write to the user's folder.
        for place, metric in enumerate(metrics(self.config, 'test_dataloader')):
            metric.update({name: f'{scratch}/{number}/{place}' for name in FOLDERS if metric.get(name)})
        evaluator = self.config.test_evaluator
        with readable_errors():
            self.evaluator = (EVALUATOR.build({'type': 'Evaluator', **evaluator})
                              if isinstance(evaluator, dict) and 'metrics' in evaluator else Evaluator(evaluator))

    @torch.no_grad()
    def __call__(self, cell: Cell) -> Metrics:
        """Run one test.

        Args:
            cell: corruption and severity of the images; :data:`cells.CLEAN` leaves them unchanged.

        Returns:
            The scalar metrics; None for a metric without a value: mmdet uses -1 for object sizes that do not occur.
            Empty if a detector finds nothing in any image.

        Raises:
            UsageError: an image cannot be read or corrupted, the GPU memory is full, or the data set cannot be built.
        """
        loader = copy.deepcopy(self.loader)
        if cell != CLEAN:
            corruption, severity = cell
            insert(loader, dict(type=CorruptImage, corruption=corruption, severity=severity))
        try:
            with readable_errors(split='test'):
                return self._metrics(loader)
        except ProcessError as error:
            if not isinstance(error.__cause__, torch.OutOfMemoryError):
                raise
            raise ProcessError('the GPU memory is full: lower test_dataloader.batch_size with --cfg-options, or '
                               '--processes') from error

    def _metrics(self, loader_config: dict[str, Any]) -> Metrics:
        loader = Runner.build_dataloader(loader_config)
        self.evaluator.dataset_meta = loader.dataset.metainfo
        score_alone(self.evaluator, loader.dataset)
        mixed = bool((self.config.get('test_cfg') or {}).get('fp16'))
        for batch in loader:
            with autocast(enabled=mixed):
                found = self.model.test_step(batch)
            self.evaluator.process(found, batch)
        metrics = self.evaluator.evaluate(len(loader.dataset))
        # Others are lists or matrices, such as mmpretrain's with one value for each class.
        scalars = {name: value for name, value in metrics.items()
                   if isinstance(value, (int, float)) or getattr(value, 'ndim', None) == 0}
        return {name: float(value) if math.isfinite(value) and value >= 0 else None for name, value in scalars.items()}
