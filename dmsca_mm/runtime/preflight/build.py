"""What mmengine builds from a config only when a run has begun, built once without one."""
from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATA_SAMPLERS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    Registry,
    init_default_scope,
)
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn

from ...errors import UsageError
from .. import failures
from .classes import argument_of
from .parts import datasets, is_remote, metrics, name_of

_REGISTERED: tuple[tuple[str, Registry], ...] = (
    ('train_cfg', LOOPS), ('val_cfg', LOOPS), ('test_cfg', LOOPS), ('param_scheduler', PARAM_SCHEDULERS),
    ('visualizer', VISUALIZERS),
    ('visualizer.vis_backends', VISBACKENDS), ('log_processor', LOG_PROCESSORS),
    *((f'{split}_dataloader.{key}', DATA_SAMPLERS) for split in ('train', 'val', 'test')
      for key in ('sampler', 'batch_sampler')))
"""Parts that need a run to be built: of these the names are looked up."""

_FOLDERS = ('output_dir', 'outfile_prefix', 'save_dir')
"""Arguments of metrics that name folders, which some make when they are built."""


def check_build(config: Config) -> nn.Module:
    """Build the model, its optimizer, the steps of every pipeline and the hooks; look up the names of the rest.

    Args:
        config: an OpenMMLab config; nothing of it is written or read from the disk.

    Returns:
        The model, untrained.

    Raises:
        UsageError: a part that is registered nowhere or whose arguments are wrong.
    """
    config = copy.deepcopy(config)  # mmdet writes into what it builds
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    Visualizer.get_instance('check_build')  # hooks that draw ask for one
    _check_layers(config.model, 'model', config.get('default_scope'))
    with failures.told():
        model = MODELS.build(config.model)
        if config.get('optim_wrapper'):
            build_optim_wrapper(model, config.optim_wrapper)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            for step in _steps(config.get(loader)):
                TRANSFORMS.build(step)
        for hook in [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]:
            if hook is not None:
                HOOKS.build({key: value for key, value in hook.items() if key != 'priority'})  # it is the Runner's
    for path, registry in _REGISTERED:
        _check_part(config, path, registry)
    for split in ('val', 'test'):
        for metric in metrics(config, f'{split}_dataloader'):
            _check_name(metric.get('type'), f'{split}_evaluator', METRICS, config.get('default_scope'))
    return model


def check_loaders(config: Config) -> None:
    """Build data sets, samplers and metrics as a run does, which reads all annotations.

    Args:
        config: an OpenMMLab config whose data are checked. Data that lie on another machine, or are fetched when a run
            begins, are left to the run.

    Raises:
        UsageError: one that its library cannot build, such as for a missing package.
    """
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if not config.get(loader) or any(is_remote(dataset) or argument_of(dataset, 'download', config.default_scope)
                                         for dataset in datasets(config[loader])):
            continue
        try:
            with redirect_stdout(StringIO()):  # pycocotools tells of its progress
                Runner.build_dataloader(config[loader])
        except Exception as error:  # a data set's class may raise anything
            raise UsageError(_unbuilt(loader, error)) from error
    for split in ('val', 'test'):
        _check_metrics(config, f'{split}_dataloader')


def _check_metrics(config: Config, loader: str) -> None:
    """Build the metrics that go with a data loader; the folders that some make at once are temporary ones."""
    with tempfile.TemporaryDirectory() as folder:
        for metric in copy.deepcopy(metrics(config, loader)):
            metric.update({key: f'{folder}/{key}' for key in _FOLDERS if metric.get(key)})
            try:
                with redirect_stdout(StringIO()):
                    METRICS.build(metric)
            except Exception as error:  # a metric's class may raise anything
                raise UsageError(_unbuilt(f'metric {name_of(metric)} of {loader}', error)) from error


def _unbuilt(part: str, error: Exception) -> str:
    return f'{part} cannot be built: {type(error).__name__}: {" ".join(str(error).split())[:300]}'


def _check_part(config: Config, path: str, registry: Registry) -> None:
    node: Any = config
    for key in path.split('.'):
        node = (node or {}).get(key)
    for entry in node if isinstance(node, (list, tuple)) else [node]:
        _check_name((entry or {}).get('type'), path, registry, config.get('default_scope'))


def _check_layers(node: Any, path: str, scope: str | None) -> None:
    """Names of norms, convolutions and activations; mmcv's own error does not tell the name."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ('norm_cfg', 'conv_cfg', 'act_cfg') and isinstance(value, dict):
                _check_name(value.get('type'), f'{path}.{key}', MODELS, scope)
            _check_layers(value, f'{path}.{key}', scope)
    elif isinstance(node, (list, tuple)):
        for place, value in enumerate(node):
            _check_layers(value, f'{path}.{place}', scope)


def _check_name(kind: Any, path: str, registry: Registry, scope: str | None) -> None:
    with registry.switch_scope_and_registry(scope) as scoped:
        if isinstance(kind, str) and scoped.get(kind) is None:
            raise UsageError(f'{path}: {kind!r} is registered nowhere: check its name, and custom_imports if it is '
                             'your own')


def _steps(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield from node.get('pipeline') or ()
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _steps(value)
