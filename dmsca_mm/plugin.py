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

from .attention import DMSCA, PEERS, DMSCAWithout
from .attention.dmsca.ablation import PARTS
from .errors import UsageError
from .presets import dmsca

for _operator in (DMSCA, DMSCAWithout, *(peer.operator for peer in PEERS)):
    MODELS.register_module(module=_operator)

REGISTRY = 'dmsca_mm.registry'
"""The module that registers what a run adds to its config; a dumped config imports it by this name."""
POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')


def plugin(stages: Sequence[bool] = dmsca['stages'], position: str = dmsca['position'],
           **operator_arguments: Any) -> dict[str, Any]:
    """A plugin dict for ``plugins=[...]`` of an OpenMMLab ResNet.

    Args:
        stages: for each stage of the backbone, whether its blocks take the plugin. The default leaves out the first,
            which detection configs freeze.
        position: ``'after_conv1'``, ``'after_conv2'`` or ``'after_conv3'``, after the convolution's norm.
        **operator_arguments: those of :class:`~dmsca_mm.attention.DMSCA` other than ``in_channels``; ``postfix``, a
            text that the names of its parameters get, tells it from others of its kind in a block.

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
    check_operator_arguments({key: value for key, value in operator_arguments.items() if key != 'postfix'})
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
    **{peer.name: {**dmsca, 'cfg': dict(type=peer.operator.__name__)} for peer in PEERS},
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
        frozen, number = backbone.get('frozen_stages', -1), backbone.get('num_stages', 4)
        stages = tuple(stage > frozen for stage in range(1, number + 1))
        backbone['plugins'] = [ConfigDict(preset, stages=stages)]
        check_backbone(backbone, config.get('default_scope'))
    if preset is not None:
        use_plugin_resnet(config)
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


def use_plugin_resnet(config: Config) -> None:
    """Have every ResNet of a config that has plugins take them, at depths 18 and 34 by way of ``PluginResNet``.

    Plugins of one kind in a block get names of their own: :func:`name_apart`.

    Args:
        config: changed in place.

    Raises:
        UsageError: there is no backbone, or one that has plugins is registered nowhere; as :func:`plugin_entries` and
            :func:`name_apart`.
    """
    for backbone in backbones(config):
        if not backbone.get('plugins'):
            continue
        backbone['plugins'] = name_apart(plugin_entries(backbone), backbone.get('num_stages', 4))
        if backbone.type != 'PluginResNet':
            stages = getattr(backbone_class(backbone, config.get('default_scope')), 'arch_settings', {})
            block = stages.get(backbone.get('depth'), [None])[0]
            if getattr(block, 'expansion', None) == 1:
                kind = backbone.type  # by its name where it is a class, so that the config can be written to a file
                base = f'{kind.__module__}.{kind.__qualname__}' if inspect.isclass(kind) else kind
                backbone.update(type='PluginResNet', base=base)
                add_import(config, 'dmsca_mm')


def check_backbone(backbone: dict[str, Any], default_scope: str | None = None) -> None:
    """Refuse a backbone whose depth or plugins its class would not build, or would build without a word and not use.

    Args:
        backbone: its dict, with ``type``.
        default_scope: the library that resolves a plain type name, ``'mmdet'`` or ``'mmseg'``; None is the current one.

    Raises:
        UsageError: a class that is registered nowhere or takes no plugins, a depth that it does not have, plugin stages
            of another number than its own, a position that its blocks do not have, operator arguments out of range;
            as :func:`plugin_entries` and :func:`name_apart`.
    """
    kind = backbone_class(backbone, default_scope)
    depths = getattr(kind, 'arch_settings', None)
    if depths and 'depth' in backbone and backbone['depth'] not in depths:
        raise UsageError(f'backbone {kind.__name__} has no depth {backbone["depth"]}: it has '
                         f'{", ".join(map(str, depths))}')
    entries = plugin_entries(backbone)
    if entries and not takes_argument(kind, 'plugins'):
        raise UsageError(f'backbone {kind.__name__} takes no plugins: use a ResNet of mmdet or mmseg, or one of its '
                         'relatives that does')
    for entry in entries:
        _check_entry(entry, kind.__name__, backbone.get('num_stages', 4))
    name_apart(entries, backbone.get('num_stages', 4))


def plugin_entries(backbone: dict[str, Any]) -> list[dict[str, Any]]:
    """The plugin dicts of a backbone.

    Args:
        backbone: its dict.

    Raises:
        UsageError: its plugins are no list, or one of them names no operator or has stages that are no list.
    """
    entries = backbone.get('plugins') or []
    if not isinstance(entries, (list, tuple)):
        raise UsageError(f'backbone plugins={entries!r:.80} must be a list: write plugins=[...] around the plugin')
    for entry in entries:
        operator = entry.get('cfg') if isinstance(entry, dict) else None
        if not isinstance(operator, dict) or not (isinstance(operator.get('type'), str)
                                                  or inspect.isclass(operator.get('type'))):
            raise UsageError(f"plugin {entry!r} names no operator: write dict(cfg=dict(type='DMSCA'), stages=..., "
                             "position='after_conv3')")
        if not isinstance(entry.get('stages', ()), (list, tuple, type(None))):
            raise UsageError(f'plugin stages {entry["stages"]!r} must be a list of True and False, one for each stage '
                             'of the backbone')
    return list(entries)


def name_apart(entries: Sequence[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Plugins of one kind that meet in a block, each with a postfix of its own for the names of its parameters.

    mmdet and mmseg refuse two of one name. The first keeps its name, the second gets the postfix ``2``.

    Args:
        entries: plugin dicts, of :func:`plugin_entries`; one that has a postfix keeps it.
        number: of the backbone's stages.

    Returns:
        Plugin dicts; those that meet no other are the same objects.

    Raises:
        UsageError: two with the same postfix meet.
    """
    taken: set[tuple[int, str]] = set()
    result = list(entries)
    for place in sorted(range(len(entries)), key=lambda place: 'postfix' not in entries[place]['cfg']):
        operator = entries[place]['cfg']
        stages = [stage for stage, has in enumerate(entries[place].get('stages') or (True,) * number) if has]
        for postfix in [operator['postfix']] if 'postfix' in operator else ['', *range(2, len(entries) + 2)]:
            names = {(stage, f'{_abbreviation(operator["type"])}{postfix}') for stage in stages}
            if taken.isdisjoint(names):
                break
        else:
            raise UsageError(f'two plugins {operator["type"]} in a block have postfix={operator["postfix"]!r}: give '
                             'one of them another, or none')
        taken |= names
        if postfix != operator.get('postfix', ''):
            result[place] = ConfigDict({**entries[place], 'cfg': {**operator, 'postfix': str(postfix)}})
    return result


def _abbreviation(kind: str | type) -> str:
    """What the names of a plugin's parameters begin with."""
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    return getattr(found, '_abbr_', str(kind))


def backbone_class(backbone: dict[str, Any], default_scope: str | None = None) -> type:
    """The class of a backbone; of ``PluginResNet`` its base, the library's class.

    Args:
        backbone: its dict, whose ``type`` or ``base`` is a registered name or a class.
        default_scope: the library that resolves a plain name; None is the current one.

    Raises:
        UsageError: it is registered nowhere.
    """
    kind = backbone.get('base', 'ResNet') if backbone['type'] == 'PluginResNet' else backbone['type']
    if inspect.isclass(kind):
        return kind
    if default_scope:
        init_default_scope(default_scope)
    with MODELS.switch_scope_and_registry(default_scope) as registry:
        found = registry.get(kind)
        if found is None:
            raise UsageError(f'backbone {kind!r} is registered nowhere: check its name and default_scope '
                             f'{default_scope or registry.scope!r}, or name the library, as in type=\'mmdet.ResNet\'')
    return found


def _check_entry(entry: dict[str, Any], kind: str, number: int) -> None:
    """Check one plugin dict of a backbone that takes plugins and has so many stages."""
    stages = entry.get('stages')
    if stages is not None and len(stages) != number:
        raise UsageError(f'plugin stages {tuple(stages)} has {len(stages)} entries, but the backbone {kind} has '
                         f'{number} stages: give one of True and False for each')
    if entry.get('position') not in POSITIONS:
        raise UsageError(f'plugin position {entry.get("position")!r}: the blocks of {kind} take {", ".join(POSITIONS)}')
    arguments = dict(entry['cfg'])
    if arguments.pop('type') in ('DMSCA', DMSCA):
        arguments.pop('postfix', None)
        try:
            check_operator_arguments(arguments)
        except (TypeError, ValueError) as error:
            raise UsageError(f'plugin DMSCA: {error}') from None


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


def takes_argument(kind: type, name: str) -> bool:
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
