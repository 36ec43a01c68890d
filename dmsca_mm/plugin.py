"""The preset ``dmsca``, other plugin dicts, and putting one into any config.

Importing this file registers DMSCA and its peers with mmengine's root registry, where mmdet, mmseg and every other
OpenMMLab library finds ``type='DMSCA'``.
"""
from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope

from .attention import CBAM, DMSCA, ECA, SE, CoordinateAttention, DMSCAWithout
from .attention.ablation import PARTS
from .errors import UsageError
from .presets import dmsca

for _operator in (DMSCA, DMSCAWithout, SE, ECA, CBAM, CoordinateAttention):
    MODELS.register_module(module=_operator)

POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')
SHALLOW_DEPTHS = (18, 34)


def plugin(stages: Sequence[bool] = dmsca['stages'], position: str = dmsca['position'],
           **operator_arguments: Any) -> dict[str, Any]:
    """A plugin dict for ``plugins=[...]`` of an OpenMMLab ResNet.

    Args:
        stages: for each stage of the backbone, whether its blocks take the plugin. The default leaves out the first,
            which detection configs freeze.
        position: ``'after_conv1'``, ``'after_conv2'`` or ``'after_conv3'``, after the convolution's norm.
        **operator_arguments: those of :class:`~dmsca_mm.attention.DMSCA` other than ``in_channels``.

    Raises:
        TypeError: stages is no sequence of bools; an operator argument is unknown or of a wrong type.
        ValueError: stages is empty, the position is unknown, an operator argument is out of range.

    Source:
        the ``plugins`` argument in mmdet/models/backbones/resnet.py.
    """
    if isinstance(stages, str) or not isinstance(stages, Sequence) or not all(isinstance(s, bool) for s in stages):
        raise TypeError(f'stages must be a sequence of bools, one for each stage, got {stages!r}')
    if not stages:
        raise ValueError('stages must be a sequence of bools, one for each stage, got an empty one')
    if position not in POSITIONS:
        raise ValueError(f'position must be one of {POSITIONS}, got {position!r}')
    check_operator_arguments(operator_arguments)
    return dict(cfg=dict(type='DMSCA', **operator_arguments), stages=tuple(stages), position=position)


def check_operator_arguments(arguments: dict[str, Any]) -> None:
    """Refuse arguments that DMSCA would refuse, before any model is built.

    Raises:
        TypeError, ValueError: those of DMSCA's constructor.
    """
    with torch.device('meta'):
        DMSCA(**{'in_channels': 1, **arguments})


PLUGINS: dict[str, dict[str, Any] | None] = {
    'dmsca': dmsca,
    **{operator._abbr_: {**dmsca, 'cfg': dict(type=operator.__name__)}
       for operator in (SE, ECA, CBAM, CoordinateAttention)},
    'dmsca_paper': {**dmsca, 'cfg': dict(type='DMSCA', init='paper')},
    **{f'dmsca_without_{part}': {**dmsca, 'cfg': dict(type='DMSCAWithout', without=part)} for part in PARTS},
    'none': None,
}


def put_plugin(config: Config, name: str) -> None:
    """Put a plugin into every backbone of a config, in place of those it has.

    It goes into the stages that train: those past ``frozen_stages``.

    Args:
        config: any OpenMMLab config with a backbone; changed in place.
        name: a key of ``PLUGINS``; ``'none'`` takes plugins away.

    Raises:
        UsageError: an unknown name, a config without a backbone, a backbone that takes no plugins.
    """
    if name not in PLUGINS:
        raise UsageError(f'unknown plugin {name!r}: choose one of {", ".join(PLUGINS)}')
    preset = PLUGINS[name]
    for backbone in backbones(config):
        if preset is None:
            backbone.pop('plugins', None)
            continue
        check_takes_plugins(backbone, config.get('default_scope'))
        frozen, number = backbone.get('frozen_stages', -1), backbone.get('num_stages', 4)
        stages = tuple(stage > frozen for stage in range(1, number + 1))
        backbone['plugins'] = [ConfigDict(preset, stages=stages)]
    if preset is not None:
        add_import(config, 'dmsca_mm')


def add_import(config: Config, module: str) -> None:
    """Have a config import a module, so that it runs with any OpenMMLab tool.

    Args:
        config: changed in place.
        module: its full name.
    """
    imports = config.setdefault('custom_imports', ConfigDict(imports=[], allow_failed_imports=False))
    if module not in imports['imports']:
        imports['imports'] = [*imports['imports'], module]


def backbones(config: Config) -> list[ConfigDict]:
    """Every backbone's dict in a config's model, at any depth.

    Raises:
        UsageError: there is none.
    """
    found = list(_under_key(config.get('model') or {}, 'backbone'))
    if not found:
        raise UsageError(f'{config.filename or "the config"} has no model.backbone: DMSCA needs a model with one')
    return found


def check_takes_plugins(backbone: ConfigDict, default_scope: str | None) -> None:
    """Refuse a backbone whose class or depth takes no plugins.

    Args:
        backbone: its dict, with ``type``.
        default_scope: the library that resolves a plain type name, ``'mmdet'`` or ``'mmseg'``.

    Raises:
        UsageError: it takes none; the message names it.
    """
    kind = backbone.get('type')
    if not inspect.isclass(kind):
        if default_scope:
            init_default_scope(default_scope)
        with MODELS.switch_scope_and_registry(default_scope) as registry:
            found = registry.get(kind)
        if found is None:
            raise UsageError(f'backbone {kind!r} is registered nowhere: check its name and '
                             f'default_scope {default_scope!r}')
        kind = found
    if not _takes_argument(kind, 'plugins'):
        raise UsageError(f'backbone {kind.__name__} takes no plugins: use a ResNet, or one of its relatives that does')
    if backbone.get('depth') in SHALLOW_DEPTHS:
        raise UsageError(f'backbone {kind.__name__} of depth {backbone.depth} takes no plugins: its BasicBlock refuses '
                         'them; use depth 50, 101 or 152')


def _under_key(node: Any, key: str) -> Iterator[ConfigDict]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key and isinstance(value, dict) and 'type' in value:
                yield value
            else:
                yield from _under_key(value, key)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _under_key(value, key)


def _takes_argument(kind: type, name: str) -> bool:
    """Whether a constructor, or one that its ``**kwargs`` reach, has the argument."""
    for base in kind.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        if name in parameters:
            return True
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return False
    return False
