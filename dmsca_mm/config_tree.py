"""A config as a tree: one walk over its dicts, and putting a plugin into its backbones."""
from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict

from .backbones import backbone_class, check_backbone
from .errors import UsageError
from .plugin_spec import plugins_of
from .plugins import name_apart, plugin_entries

REGISTRY = 'dmsca_mm.registry'
"""The module that registers what a run adds to its config; a dumped config imports it by this name."""


def walk(node: Any, path: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and dict of every dict in a part of a config, at any depth, an outer one before those within it.

    A dict may be changed while it is given: the walk goes on through what is there then.

    Args:
        node: a config, or anything in one.
        path: its own.
    """
    if isinstance(node, (dict, Config)):
        yield path, node
        inner = node.items()
    else:
        inner = enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in [*inner]:
        yield from walk(value, f'{path}.{key}' if path else str(key))


def backbones(config: Config) -> list[ConfigDict]:
    """Every backbone's dict in a config's model, at any depth.

    Raises:
        UsageError: there is none.
    """
    found = [node for path, node in walk(config.get('model')) if path.split('.')[-1] == 'backbone' and 'type' in node]
    if not found:
        raise UsageError(f'{config.filename or "the config"} has no model.backbone: DMSCA needs a model with one')
    return found


def put_plugin(config: Config, spec: str) -> None:
    """Put plugins into every backbone of a config, in place of those it has.

    Without ``stages`` they go into those that train: the ones past ``frozen_stages``.

    Args:
        config: any OpenMMLab config with a backbone; changed in place.
        spec: see :func:`~dmsca_mm.plugin_spec.plugins_of`; ``'none'`` takes plugins away.

    Raises:
        UsageError: as ``plugins_of``; a config without a backbone, a backbone that does not take the plugins or of
            which every stage is frozen.
    """
    plugins = plugins_of(spec)
    for backbone in backbones(config):
        backbone.pop('plugins', None)
        if plugins:
            frozen, number = backbone.get('frozen_stages', -1), backbone.get('num_stages', 4)
            stages = tuple(stage > frozen for stage in range(1, number + 1))
            if not any(stages) and not all('stages' in plugin for plugin in plugins):
                raise UsageError(f'--plugin {spec}: frozen_stages={frozen} freezes every stage, and a plugin in them '
                                 f'would not train: set model.backbone.frozen_stages, or name the stages, as in '
                                 f'--plugin "{spec.split(":")[0]}:stages=({"True," * number})"')
            backbone['plugins'] = [ConfigDict({'stages': stages, **plugin}) for plugin in plugins]
            check_backbone(backbone, config.get('default_scope'))
    if plugins:
        use_plugin_resnet(config)
        add_import(config, 'dmsca_mm')


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


def add_import(config: Config, module: str) -> None:
    """Have a config import a module, so that it runs with any OpenMMLab tool.

    Args:
        config: changed in place.
        module: its full name.
    """
    entry = config.get('custom_imports') or ConfigDict(allow_failed_imports=False)
    imports = entry.get('imports') or []
    imports = [imports] if isinstance(imports, str) else imports  # mmengine takes both
    if module not in imports:
        config.custom_imports = ConfigDict({**entry, 'imports': [*imports, module]})
