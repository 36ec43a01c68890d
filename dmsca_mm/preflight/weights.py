"""Check the weights that a run starts from."""
from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .. import checkpoint
from ..backbones import argument, backbone_class, takes_argument
from ..checkpoint import model_zoo, stored_config
from ..checkpoint.sources import is_pretrained
from ..config_tree import backbones, walk
from ..errors import UsageError
from .model import built_empty


def check_weights(config: Config) -> None:
    """Check the weights that a config starts from: local files by content, published ones by name.

    Args:
        config: with ``load_from``, ``init_cfg`` or ``pretrained`` anywhere in its model.

    Raises:
        UsageError: a local file is missing, truncated or contains code, has another backbone than the config, or a
            plugin trained with another ``init``; torchvision weights without torchvision installed; a name that
            OpenMMLab does not publish; published weights of another depth.
    """
    for name, path, owner in _pretrained(config.model):
        if '://' in name:
            _check_name(name, path, owner, config.get('default_scope'))
            continue
        try:
            checkpoint.read(name)
        except UsageError as error:
            raise UsageError(f'{path}: {error}') from None
    for backbone in backbones(config):
        start = backbone.get('init_cfg')
        if not isinstance(start, dict) or not is_pretrained(start):
            continue
        if not isinstance(start.get('checkpoint'), str):
            raise UsageError(f"model.backbone.init_cfg has checkpoint={start.get('checkpoint')!r}, must be a path or "
                             'an address: set it, or init_cfg=None to start from scratch')
        if '://' not in start['checkpoint']:
            _check_fit(backbone, start['checkpoint'], start.get('prefix') or '', config.get('default_scope'))
    if config.get('load_from') and '://' not in config.load_from:
        checkpoint.read(config.load_from)
        if config.model.get('backbone'):
            _check_fit(config.model.backbone, config.load_from, 'backbone.', config.get('default_scope'))


def initial_statistics(config: Config) -> list[str]:
    """Return warnings about backbones whose batch norms would keep their initial statistics throughout training.

    ``norm_eval=True``, the default of mmdet's ResNets, is meant for the statistics of pretrained weights.

    Args:
        config: as for :func:`check_weights`.
    """
    if config.get('load_from') or any(_pretrained(config.model)):
        return []
    found = []
    for backbone in backbones(config):
        kind = backbone_class(backbone, config.get('default_scope'))
        default = argument(kind, 'norm_eval')
        norm = (backbone.get('norm_cfg') or {'type': 'BN'})['type']
        normalizes = issubclass(norm, _BatchNorm) if inspect.isclass(norm) else 'BN' in norm
        if default is not None and backbone.get('norm_eval', default.default) is True and normalizes:
            found.append(f'the batch norms of backbone {kind.__name__} keep their initial statistics: norm_eval is '
                         'True and the config names no weights: set norm_eval=False, or init_cfg or load_from')
    return found


def local_weights(config: Config) -> list[str]:
    """Return the paths of the files that a run starts from.

    Args:
        config: as for :func:`check_weights`.
    """
    names = [config.get('load_from'), *(name for name, *_ in _pretrained(config.model))]
    return [name for name in names if name and '://' not in name]


def _pretrained(model: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, config path and owner of the weights in ``pretrained`` and in ``init_cfg`` of type Pretrained."""
    for path, part in walk(model, 'model'):
        if isinstance(part.get('pretrained'), str):
            yield part['pretrained'], f'{path}.pretrained', part
        for where, start in walk(part.get('init_cfg'), f'{path}.init_cfg'):
            if is_pretrained(start) and isinstance(start.get('checkpoint'), str):
                yield start['checkpoint'], f'{where}.checkpoint', part


def _check_name(name: str, path: str, owner: dict[str, Any], default_scope: str | None) -> None:
    """Refuse published weights whose name cannot be resolved or whose depth is not the backbone's."""
    backbone = owner if 'depth' in owner else owner.get('backbone') or {}
    kind = backbone_class(backbone, default_scope) if 'depth' in backbone and 'type' in backbone else None
    fitting = kind and model_zoo.weights_of(backbone, kind.__name__)
    way = f'start from scratch with --cfg-options {path.removesuffix(".checkpoint")}=None'
    if found := model_zoo.address(fitting or name):
        what = f'those of {kind.__name__} of depth {backbone["depth"]}' if fitting else 'the same weights'
        way = f'name {what} by address or local file with --cfg-options {path}={found}, or {way}'
    of_torchvision = name.split('://')[0] in model_zoo.TORCHVISION and not model_zoo.address(name)
    if of_torchvision and find_spec('torchvision') is None:
        raise UsageError(f'{name} needs torchvision, which is not installed: install it, or {way}')
    if model_zoo.is_unknown(name):
        near = model_zoo.near(name)
        raise UsageError(f'{path}: no weights are published as {name}; similar names are {", ".join(near) or "none"}: '
                         f'use one of them if it fits, or {way}')
    depths = getattr(kind, 'arch_settings', None) or ()
    if fitting and name in [model_zoo.weights_of(backbone, kind.__name__, depth) for depth in depths
                            if depth != backbone['depth']]:
        raise UsageError(f'weights {name} are of another backbone: the config has {kind.__name__} of depth '
                         f'{backbone["depth"]}: {way}')


def _check_fit(backbone: dict[str, Any], weights: str, prefix: str, default_scope: str | None) -> None:
    """Refuse weights of another ResNet, as mmengine would load what fits and only log the rest.

    Weights without the plugins, which have their own initialization, and weights with a classifier are valid. Other
    backbones are not checked: some have layers that depend on their outputs, and some cannot be built without data.
    """
    kind = backbone_class(backbone, default_scope)
    if not takes_argument(kind, 'plugins') or getattr(kind, 'init_weights', None) is not BaseModule.init_weights:
        return  # no ResNet, or its own init_weights converts the weights
    content = checkpoint.read(weights)
    check_initialization(backbone, weights, content)
    prefix = prefix if prefix.endswith('.') or not prefix else f'{prefix}.'
    there = {name.removeprefix('module.').removeprefix(prefix): value.shape
             for name, value in content.get('state_dict', content).items()
             if name.removeprefix('module.').startswith(prefix)}
    model = built_empty(backbone, default_scope)
    here = {name: value.shape for name, value in model.state_dict().items()}
    published = model_zoo.weights_of(backbone, type(model).__name__)
    remedy = 'give the weights of that backbone' + (f', such as {model_zoo.address(published)}' if published else '')
    mine = f'the config has {type(model).__name__} of depth {backbone["depth"]}' if 'depth' in backbone else (
        f'the config has {type(model).__name__}')
    missing = [name for name in here if name not in there and not name.endswith('num_batches_tracked')
               and not name.startswith(tuple(_plugins(model)))
               and '.conv_offset.' not in name]  # of deformable convolutions, which have their own initialization
    if missing:
        hint = ", or give prefix='backbone.'" if not prefix and any('backbone.' in name for name in there) else ''
        raise UsageError(f'weights {weights} are of another backbone: {mine}, but they lack {len(missing)} '
                         f'of its tensors, such as {missing[0]}; {remedy}{hint}')
    beyond = [name for name in there if name not in here and hasattr(model, name.split('.')[0])]
    if beyond:
        raise UsageError(f'weights {weights} are of another backbone: {mine}, and they have {len(beyond)} tensor(s) '
                         f'beyond it, the first is {beyond[0]}; give the depth and plugins that they were trained with')
    for name, shape in there.items():
        if name in here and here[name] != shape:
            raise UsageError(f'weights {weights} are of another backbone: {name} has shape {tuple(shape)}, '
                             f'not {tuple(here[name])}; {mine}; {remedy}')


def check_initialization(backbone: dict[str, Any], weights: str, content: dict[str, Any]) -> None:
    """Refuse weights trained with another ``init``, which sets the range of the gates, or with other parts ablated.

    The tensors do not reveal it; the config that mmengine stores with them does. It is parsed, not executed.

    Args:
        backbone: its dict, with or without ``plugins``.
        weights: path of the checkpoint.
        content: contents of the checkpoint.

    Raises:
        UsageError: a plugin of the backbone was trained with another ``init`` or without another part.
    """
    stored = stored_config.parse((content.get('meta') or {}).get('cfg')).get('model')
    for operator in (entry['cfg'] for entry in backbone.get('plugins') or []):
        theirs = [one for _, one in walk(stored) if 'type' in one and _family(one) == _family(operator)]
        if theirs and _function(operator) not in map(_function, theirs):
            raise UsageError(f'weights {weights} were trained with {_function(theirs[0])}, and the config has '
                             f'{_function(operator)}: the same weights would give another output; use the plugin that '
                             'they were trained with')


def _family(operator: dict[str, Any]) -> str:
    """Return the name that operators with the same tensors share."""
    return str(operator['type']).removesuffix('Without')


def _function(operator: dict[str, Any]) -> str:
    """Describe the arguments that change what an operator computes, but not its tensors."""
    ablated = f' without {operator["without"]}' if 'without' in operator else ''
    return f'{_family(operator)}{ablated} of init={operator.get("init", "identity")!r}'


def _plugins(model: nn.Module) -> Iterator[str]:
    """Yield the name prefixes of the plugins' tensors."""
    for name, block in model.named_modules():
        for place in ('after_conv1', 'after_conv2', 'after_conv3'):
            yield from (f'{name}.{plugin}.' for plugin in getattr(block, f'{place}_plugin_names', ()))
