"""Load a trained model and images for it outside of a run, for tools that inspect it."""
from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

from .. import checkpoint, preflight
from ..checkpoint import sources
from ..config_tree import backbones
from ..errors import UsageError
from ..failures import readable_errors
from ..preflight.classes import classes_of
from ..preflight.weights import check_initialization
from ..runtime.config import load_config, test_pipeline
from ..runtime.distributed import replace_sync_batch_norm
from ..runtime.transforms import images
from .view import View, trace


def open_model(name: str, weights: str, options: dict[str, Any] | None = None, plugin: str | None = None
               ) -> tuple[Config, nn.Module]:
    """Load a config and its trained model, in evaluation mode, on the GPU if there is one.

    Args:
        name: name of the config, see :func:`config.load_config`.
        weights: path of the checkpoint; it must be of a model of this config.
        options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Raises:
        UsageError: the config or the checkpoint cannot be read, or they do not match.
    """
    config = load_config(name, options, plugin)
    preflight.check_model(config)
    content = checkpoint.read(weights)
    sources.forget_pretrained(config.model)  # the checkpoint replaces those weights, so do not fetch them
    config.load_from = None  # such as the checkpoint that the training was resumed from, which may be gone
    if not torch.cuda.is_available():
        replace_sync_batch_norm(config.model)
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    with readable_errors():
        model = MODELS.build(config.model)
    state = content.get('state_dict', content)
    _check_fit(model, state, weights, name)
    for backbone in backbones(config):
        check_initialization(backbone, weights, content)
    model.load_state_dict(state)
    model.dataset_meta = _dataset_meta(config, content)
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    nn.Module.train(model, False)  # not eval(): mmdet's ResNet.train() returns None
    return config, model


def _dataset_meta(config: Config, content: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the class names and colours of the training or, if they are not stored, of the test data."""
    stored = content.get('meta', {}).get('dataset_meta', {})
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    classes = stored.get('classes') or classes_of(dataset, config.get('default_scope')) or ()
    palette = stored.get('palette') or (dataset.get('metainfo') or {}).get('palette') or ()
    return dict(classes=tuple(classes), palette=_colours(palette, len(classes)))


def _colours(palette: Any, classes: int) -> tuple[tuple[int, ...], ...]:
    """Return a colour for each class; mmdet also takes one colour for all, or a name, for which there are none here."""
    if isinstance(palette, str):
        return ()
    if all(isinstance(value, int) for value in palette):
        return (tuple(palette),) * classes if len(palette) == 3 else ()
    return tuple(map(tuple, palette))


def _check_fit(model: nn.Module, state: dict[str, Any], weights: str, config: str) -> None:
    """Refuse a checkpoint whose tensors differ from the model's; mmengine would load the matching ones and continue."""
    wanted = model.state_dict()
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    reshaped = [key for key in sorted(wanted.keys() & state.keys()) if wanted[key].shape != state[key].shape]
    for keys, fault in ((missing, 'lacks {} tensor(s)'), (unknown, 'has {} tensor(s) that the model lacks'),
                        (reshaped, 'has {} tensor(s) in another shape')):
        if keys:
            raise UsageError(f'checkpoint {weights} is not of {config}: it {fault.format(len(keys))}, the first is '
                             f'{keys[0]}; give the config that it was trained with, which lies in its work directory')


class Images:
    """Prepare image files for a config's model with its test pipeline.

    Args:
        config: with ``test_dataloader``.
    """

    def __init__(self, config: Config) -> None:
        steps = [copy.deepcopy(step) for step in test_pipeline(config) if 'Annotations' not in str(step['type'])]
        if not steps:
            raise UsageError(f'{config.filename} has no test_dataloader with a pipeline: it prepares images for the '
                             'model')
        images.replace_loaders(steps, {})
        with readable_errors():
            self.pipeline = Compose(steps)

    def batch(self, paths: Sequence[str | Path]) -> dict[str, Any]:
        """Return the input of ``model.test_step`` for some images.

        Args:
            paths: paths of image files.

        Raises:
            ImageError: an image cannot be read.
        """
        return pseudo_collate([self.pipeline(dict(img_path=str(path), img_id=place))
                               for place, path in enumerate(paths)])

    def view(self, path: str | Path) -> View:
        """Return which part of an image the model sees, and where it is in the model's input.

        Args:
            path: path of the file.

        Raises:
            ImageError: the image cannot be read.
            UsageError: the pipeline has a geometric transform that is unknown here.
        """
        return trace(self.pipeline.transforms, dict(img_path=str(path), img_id=0))


def data_set(config: Config) -> Any:
    """Build the test data set of a config. An error for a broken image names the image.

    Args:
        config: with ``test_dataloader``, whose data have been checked.
    """
    if config.get('default_scope'):
        init_default_scope(config.default_scope)  # the model opened last may have another scope
    settings = copy.deepcopy(config.test_dataloader.dataset)
    images.replace_loaders(settings, {})
    with readable_errors(), redirect_stdout(StringIO()):  # pycocotools prints its progress
        return DATASETS.build(settings)
