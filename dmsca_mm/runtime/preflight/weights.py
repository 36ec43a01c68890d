"""The weights that a run starts from: there, whole, and nothing but weights."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModule
from torch import nn

from ...errors import UsageError
from ...plugin import backbone_class, backbones
from .. import checkpoint
from .model import built_empty


def check_weights(config: Config) -> None:
    """Check the weights that a config starts from, as far as they lie here.

    Args:
        config: with ``load_from``, ``init_cfg`` or ``pretrained`` anywhere in its model.

    Raises:
        UsageError: a local file that is missing, cut short or holds code; one whose backbone is another than the
            config's, or whose plugin had another start; torchvision weights without torchvision.
    """
    for name in _pretrained(config.get('model')):
        if name.startswith(('torchvision://', 'modelzoo://')):
            if find_spec('torchvision') is None:
                raise UsageError(f'{name} needs torchvision, which is not installed: install it, or name the same '
                                 'weights by address or local file, for ResNet-50 --cfg-options '
                                 'model.backbone.init_cfg.checkpoint='
                                 'https://download.pytorch.org/models/resnet50-0676ba61.pth, or start from scratch '
                                 'with --cfg-options model.backbone.init_cfg=None')
        elif '://' not in name:
            checkpoint.read(name)
    for backbone in backbones(config):
        start = backbone.get('init_cfg')
        if isinstance(start, dict) and start.get('type') == 'Pretrained' and '://' not in start['checkpoint']:
            _check_fit(backbone, start['checkpoint'], start.get('prefix') or '', config.get('default_scope'))
    if config.get('load_from') and '://' not in config.load_from:
        checkpoint.read(config.load_from)
        if config.model.get('backbone'):
            _check_fit(config.model.backbone, config.load_from, 'backbone.', config.get('default_scope'))


def _pretrained(node: Any) -> Iterator[str]:
    """Names of the weights in ``init_cfg=dict(type='Pretrained', checkpoint=...)`` and ``pretrained=...``."""
    if isinstance(node, dict):
        if node.get('type') == 'Pretrained' and isinstance(node.get('checkpoint'), str):
            yield node['checkpoint']
        if isinstance(node.get('pretrained'), str):
            yield node['pretrained']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _pretrained(value)


def _check_fit(backbone: dict[str, Any], weights: str, prefix: str, default_scope: str | None) -> None:
    """Refuse weights of another backbone: mmengine would load what fits, log the rest and go on.

    Plugins may be missing from the weights, for they have their own start; the classifier may be there.
    """
    if getattr(backbone_class(backbone, default_scope), 'init_weights', None) is not BaseModule.init_weights:
        return  # it translates what it loads
    content = checkpoint.read(weights)
    check_start(backbone, weights, content)
    prefix = prefix if prefix.endswith('.') or not prefix else f'{prefix}.'
    there = {name.removeprefix('module.').removeprefix(prefix): value.shape
             for name, value in content.get('state_dict', content).items()
             if name.removeprefix('module.').startswith(prefix)}
    model = built_empty(backbone, default_scope)
    here = {name: value.shape for name, value in model.state_dict().items()}
    mine = f'the config has {type(model).__name__} of depth {backbone["depth"]}' if 'depth' in backbone else (
        f'the config has {type(model).__name__}')
    missing = [name for name in here if name not in there and not name.endswith('num_batches_tracked')
               and not name.startswith(tuple(_plugins(model)))]
    if missing:
        hint = ", or give prefix='backbone.'" if not prefix and any('backbone.' in name for name in there) else ''
        raise UsageError(f'weights {weights} are of another backbone: {mine}, of which they lack {len(missing)} '
                         f'tensor(s), the first is {missing[0]}; give the weights of that backbone{hint}')
    beyond = [name for name in there if name not in here and hasattr(model, name.split('.')[0])]
    if beyond:
        raise UsageError(f'weights {weights} are of another backbone: {mine}, and they have {len(beyond)} tensor(s) '
                         f'beyond it, the first is {beyond[0]}; give the depth and plugins that they were trained with')
    for name, shape in there.items():
        if name in here and here[name] != shape:
            raise UsageError(f'weights {weights} are of another backbone: {name} is {tuple(shape)} there and '
                             f'{tuple(here[name])} here, where {mine}; give the weights of that backbone')


def check_start(backbone: dict[str, Any], weights: str, content: dict[str, Any]) -> None:
    """Refuse weights of an operator whose gates had another range: nothing in the tensors tells it.

    What tells it is the config that mmengine stores beside them; it is read as text and not executed.

    Args:
        backbone: its dict, with or without ``plugins``.
        weights: path of the checkpoint.
        content: of the checkpoint.

    Raises:
        UsageError: a plugin of the backbone has another ``init`` here than there.
    """
    try:
        lines = ast.parse((content.get('meta') or {}).get('cfg', '')).body
    except (SyntaxError, ValueError):
        return  # a config in another language, or no text
    model = [line for line in lines if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == 'model']
    stored = [arguments for line in model for arguments in map(_constants, ast.walk(line))]
    for operator in (entry['cfg'] for entry in backbone.get('plugins') or []):
        mine = operator.get('init', 'identity')
        theirs = {one.get('init', 'identity') for one in stored if one.get('type') == operator['type']}
        if theirs and mine not in theirs:
            raise UsageError(f'weights {weights} were trained with {operator["type"]} of init={min(theirs)!r}, and the '
                             f'config has init={mine!r}, whose gates have another range: the same weights would '
                             "compute something else; give both the same init")


def _constants(node: ast.AST) -> dict[str | None, Any]:
    """The arguments of a ``dict(...)`` in a config's text that are plain values."""
    arguments = node.keywords if isinstance(node, ast.Call) else []
    return {one.arg: one.value.value for one in arguments if isinstance(one.value, ast.Constant)}


def _plugins(model: nn.Module) -> Iterator[str]:
    """How the names of the plugins' tensors begin."""
    for name, block in model.named_modules():
        for place in ('after_conv1', 'after_conv2', 'after_conv3'):
            yield from (f'{name}.{plugin}.' for plugin in getattr(block, f'{place}_plugin_names', ()))
