"""A trained model and images for it, outside of a run: for tools that look into it."""
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


def open_model(name: str, weights: str, options: dict[str, Any] | None = None, plugin: str | None = None
               ) -> tuple[Config, nn.Module]:
    """The config and the trained model, in evaluation mode, on the GPU where there is one.

    Args:
        name: of the config, see :func:`config.load_config`.
        weights: path of the checkpoint; it must be of a model of this config.
        options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Raises:
        UsageError: a config or a checkpoint that cannot be read, or that do not fit each other.
    """
    config = load_config(name, options, plugin)
    preflight.check_model(config)
    content = checkpoint.read(weights)
    sources.forget_pretrained(config.model)  # the checkpoint replaces those weights: do not fetch them
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
    nn.Module.train(model, False)  # eval() of mmdet's ResNet returns nothing, and so would theirs
    return config, model


def _dataset_meta(config: Config, content: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Names and colours of what a model tells apart: those of its training, else those of the data to test it on."""
    stored = content.get('meta', {}).get('dataset_meta', {})
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    classes = stored.get('classes') or classes_of(dataset, config.get('default_scope')) or ()
    palette = stored.get('palette') or (dataset.get('metainfo') or {}).get('palette') or ()
    return dict(classes=tuple(classes), palette=tuple(map(tuple, palette)))


def _check_fit(model: nn.Module, state: dict[str, Any], weights: str, config: str) -> None:
    """Refuse a checkpoint with other tensors than the model's; mmengine would load what fits and go on."""
    wanted = model.state_dict()
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    reshaped = [key for key in sorted(wanted.keys() & state.keys()) if wanted[key].shape != state[key].shape]
    for keys, fault in ((missing, 'lacks {} tensor(s)'), (unknown, 'has {} tensor(s) that the model lacks'),
                        (reshaped, 'has {} tensor(s) in another shape')):
        if keys:
            raise UsageError(f'checkpoint {weights} is not of {config}: it {fault.format(len(keys))}, the first is '
                             f'{keys[0]}; give the config that it was trained with, which lies in its work directory')


class Images:
    """Images of this machine as a config's model takes them, through the pipeline that it is tested with.

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
        """What ``model.test_step`` takes, for some images.

        Args:
            paths: of image files.

        Raises:
            ImageError: one that cannot be read.
        """
        return pseudo_collate([self.pipeline(dict(img_path=str(path), img_id=place))
                               for place, path in enumerate(paths)])


def data_set(config: Config) -> Any:
    """The data set that a model is tested on; a broken image in it is named.

    Args:
        config: with ``test_dataloader``, whose data are checked.
    """
    if config.get('default_scope'):
        init_default_scope(config.default_scope)  # that of the model opened last may be another
    settings = copy.deepcopy(config.test_dataloader.dataset)
    images.replace_loaders(settings, {})
    with readable_errors(), redirect_stdout(StringIO()):  # pycocotools prints its progress
        return DATASETS.build(settings)
