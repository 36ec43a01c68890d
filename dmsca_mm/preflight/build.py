"""Trial build of the components that mmengine builds only after a run has started."""
from __future__ import annotations

import copy
import inspect
from itertools import count
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
    VISBACKENDS,
    VISUALIZERS,
    Registry,
    init_default_scope,
)
from mmengine.visualization import Visualizer
from torch import nn

from ..backbones import takes_argument
from ..config_tree import walk
from ..errors import UsageError
from ..failures import readable_errors
from .config_parts import registered

SPLITS = ('train', 'val', 'test')
_REGISTERED: tuple[tuple[str, Registry], ...] = (
    ('train_cfg', LOOPS), ('val_cfg', LOOPS), ('test_cfg', LOOPS), ('param_scheduler', PARAM_SCHEDULERS),
    ('val_evaluator', METRICS), ('test_evaluator', METRICS), ('visualizer', VISUALIZERS),
    ('visualizer.vis_backends', VISBACKENDS), ('log_processor', LOG_PROCESSORS),
    *((f'{split}_dataloader.{key}', registry) for split in SPLITS for key, registry in (
        ('dataset', DATASETS), ('sampler', DATA_SAMPLERS), ('batch_sampler', DATA_SAMPLERS),
        ('collate_fn', FUNCTIONS))))
"""Parts that only a run can build: their types and the names of their arguments are looked up instead."""
_DEFAULTS = dict(val_cfg='ValLoop', test_cfg='TestLoop', log_processor='LogProcessor')
"""Default types."""
_OF_THE_BUILDER = ('type', '_scope_', 'by_epoch', 'convert_to_iter_based')
"""Arguments that mmengine's builders consume instead of passing them on."""
_NUMBERS = count()
_EPOCH = 1000
"""Placeholder for the batches per epoch, as the data are not read; any number above 1 works."""


def check_build(config: Config, splits: tuple[str, ...] = SPLITS) -> nn.Module:
    """Build the model, optimizer, schedulers, hooks and data sets of a config; only look up its other types.

    Args:
        config: an OpenMMLab config. Its weights are not read, its data only where a wrapper reads them in its
            constructor, and nothing is written.
        splits: the splits to check, of ``'train'``, ``'val'`` and ``'test'``.

    Returns:
        The model, untrained.

    Raises:
        UsageError: a part is not registered or has invalid arguments.
    """
    config = copy.deepcopy(config)  # mmdet modifies the configs it builds from
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    with readable_errors(config):
        scopes = {}
        for path, part in walk(config.model, 'model'):  # mmcv's own error does not name the layer
            kind = part.get('type')
            inherited = scopes.get(path.rpartition('.')[0], config.get('default_scope'))
            scopes[path] = kind.split('.')[0] if isinstance(kind, str) and '.' in kind else inherited
            if path.split('.')[-1] in ('norm_cfg', 'conv_cfg', 'act_cfg'):
                registered(kind, path, MODELS, inherited)
        for path, registry in _REGISTERED:
            split = 'train' if path == 'param_scheduler' else path.split('_')[0]
            if split not in {*SPLITS} - {*splits}:
                _check_part(config, path, registry)
        _build_visualizer(config.get('visualizer'))  # hooks that draw need one
        LOG_PROCESSORS.build({'type': 'LogProcessor', **(config.get('log_processor') or {})})
        model = MODELS.build(copy.deepcopy(config.model))
        if config.get('optim_wrapper') and 'train' in splits:
            build_schedules(config, build_optimizer(config, model))
        for split in splits:
            if loader := config.get(f'{split}_dataloader'):
                dataset = _unread(loader.dataset, config.get('default_scope'))
                if 'lazy_init' in dataset:
                    DATASETS.build(dataset)
        for hook in [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]:
            if hook is not None:
                HOOKS.build({key: value for key, value in hook.items() if key != 'priority'})  # read by the Runner
    return model


def build_optimizer(config: Config, model: nn.Module) -> OptimWrapper | OptimWrapperDict:
    """Build the optimizer of a config, in its wrapper.

    Args:
        config: with ``optim_wrapper``; not modified.
        model: the model to optimize.
    """
    return build_optim_wrapper(model, copy.deepcopy(config.optim_wrapper))


def build_schedules(config: Config, optimizer: OptimWrapper | OptimWrapperDict) -> list[Any]:
    """Build the parameter schedulers of a config; return none if it has several optimizers.

    Args:
        config: with or without ``param_scheduler``; not modified.
        optimizer: from :func:`build_optimizer`.
    """
    entries, length = config.get('param_scheduler') or [], config.get('train_cfg') or {}
    if isinstance(optimizer, OptimWrapperDict):
        return []
    result = []
    for entry in copy.deepcopy(entries if isinstance(entries, (list, tuple)) else [entries]):
        end = length.get('max_epochs') if entry.get('by_epoch', True) else length.get('max_iters')
        if end is not None:
            entry.setdefault('end', end)
        result.append(PARAM_SCHEDULERS.build(entry, default_args=dict(optimizer=optimizer, epoch_length=_EPOCH)))
    return result


def _build_visualizer(settings: dict[str, Any] | None) -> None:
    """Build a visualizer that writes nothing, under a unique name, as mmengine caches visualizers by name."""
    name = f'check_build_{next(_NUMBERS)}'
    if settings:
        VISUALIZERS.build({**settings, 'name': name, 'vis_backends': None})
    else:
        Visualizer.get_instance(name)


def _unread(node: Any, scope: str | None) -> Any:
    """Return the config of a data set, and of those it wraps, with ``lazy_init``: building it reads no data."""
    if isinstance(node, (list, tuple)):
        return [_unread(value, scope) for value in node]
    if not isinstance(node, dict):
        return node
    result = {key: _unread(value, scope) if key in ('dataset', 'datasets') else value for key, value in node.items()}
    kind = registered(node.get('type'), 'dataset', DATASETS, scope)
    return {**result, 'lazy_init': True} if inspect.isclass(kind) and takes_argument(kind, 'lazy_init') else result


def _check_part(config: Config, path: str, registry: Registry) -> None:
    node: Any = config
    for key in path.split('.'):
        node = (node or {}).get(key)
    if isinstance(node, dict) and 'metrics' in node:  # an evaluator with a type of its own
        node = node['metrics']
    for entry in node if isinstance(node, (list, tuple)) else [node]:
        if not entry or not isinstance(entry, dict):  # a function, as collate_fn may be
            continue
        kind = registered(entry.get('type', _DEFAULTS.get(path)), path, registry, config.get('default_scope'))
        if not inspect.isclass(kind):
            continue
        if kind.__module__.startswith(__package__.partition('.')[0]):  # a loop passes its arguments on to mmengine's
            kind = kind.__base__
        known = inspect.signature(kind).parameters
        if any(one.kind is one.VAR_KEYWORD for one in known.values()):
            continue  # **kwargs may take any argument
        taken = {*known, *(_OF_THE_BUILDER if 'type' in entry else ())}  # without a type mmengine passes every entry on
        for argument in entry:
            if argument not in taken:
                raise UsageError(f'{path}: {kind.__name__} takes no argument {argument!r}')
