"""Validate one image before the training, so that an error of the validation does not end the run hours later."""
from __future__ import annotations

from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, ValLoop, autocast
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from ...failures.blame import first_sentence

_OF_ONE_IMAGE = ('BaseDetector', 'BaseSegmentor', 'BaseClassifier')
"""Base classes of mmdet's, mmseg's and mmpretrain's models that predict for an image without knowing others."""

_OF_VALUES = (RuntimeError, ValueError, IndexError, AssertionError, ArithmeticError)
"""Errors that can be due to the values of the weights."""


@HOOKS.register_module()
class TrialValidation(Hook):
    """Load the first image of the validation data, predict, and hand the prediction to the metrics.

    Their results are dropped. Models that need other images to predict, such as trackers, are not tried. An error of
    the prediction that can be due to untrained weights is logged.

    Raises:
        Exception: any other, of the pipeline, the model or a metric.
    """

    def before_train(self, runner: Runner) -> None:
        """Validate the image."""
        loop, model = runner.val_loop, runner.model
        if not isinstance(loop, ValLoop) or not _is_of_one_image(model):
            return
        data = loop.dataloader.dataset
        if isinstance(data, IterableDataset) or not len(data):
            return
        runner.logger.info('validating one image first, so that an error in it shows before the training')
        batch = next(iter(_first_alone(loop.dataloader)))
        model.eval()
        try:
            with torch.no_grad(), autocast(enabled=loop.fp16):
                predictions = model.val_step(batch)
        except (torch.OutOfMemoryError, NotImplementedError):
            raise
        except _OF_VALUES as error:
            runner.logger.warning(f'it failed ({type(error).__name__}: {first_sentence(str(error))}), perhaps as the '
                                  'weights are not trained yet; the training goes on, and a validation that fails so '
                                  'ends it')
        else:
            if isinstance(predictions[-1], BaseDataElement) and predictions[-1].keys() == ['loss']:
                predictions.pop()  # the loss of a validation, which mmengine's loop keeps from the metrics, too
            loop.evaluator.process(data_samples=predictions, data_batch=batch)
            _drop_results(loop.evaluator.metrics)
        model.train()


def _is_of_one_image(model: nn.Module) -> bool:
    inner = model.module if is_model_wrapper(model) else model
    return any(base.__name__ in _OF_ONE_IMAGE for base in type(inner).__mro__)


def _first_alone(loader: DataLoader) -> DataLoader:
    """Return a loader of the first image, which draws no random number of the run.

    If the run has data workers, a worker loads it, as files that this process opened would be shared by all of them.
    """
    return DataLoader(
        loader.dataset, sampler=[0], num_workers=min(1, loader.num_workers), collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn, multiprocessing_context=loader.multiprocessing_context,
        generator=torch.Generator())


def _drop_results(node: Any) -> None:
    """Drop the results of metrics, and of metrics within metrics."""
    if isinstance(node, BaseMetric):
        node.results.clear()
        node = vars(node)
    if isinstance(node, (dict, list, tuple)):
        for part in node.values() if isinstance(node, dict) else node:
            _drop_results(part)
