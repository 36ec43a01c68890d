"""Walk over the dicts of a config, and put plugins into its backbones."""
from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict

from .backbones import backbone_class, check_backbone, is_plugin_resnet
from .errors import UsageError
from .plugin_spec import plugins_of
from .plugins import name_apart, plugin_entries

REGISTRY = 'dmsca_mm.registry'
"""Module that registers everything a run adds to its config; a dumped config imports it by this name."""


def walk(node: Any, path: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and dict of every dict in a part of a config, at any depth, outer dicts before inner ones.

    The caller may change a dict when it is yielded; the walk continues with the new content.

    Args:
        node: a config, or anything in one.
        path: path of ``node``.
    """
    if isinstance(node, (dict, Config)):
        yield path, node
        inner = node.items()
    else:
        inner = enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in [*inner]:
        yield from walk(value, f'{path}.{key}' if path else str(key))


def backbones(config: Config) -> list[ConfigDict]:
    """Return the dict of every backbone in a config's model, at any depth.

    Raises:
        UsageError: the model has no backbone.
    """
    found = [node for path, node in walk(config.get('model')) if path.split('.')[-1] == 'backbone' and 'type' in node]
    if not found:
        raise UsageError(f'{config.filename or "the config"} has no model.backbone: DMSCA needs a model with one')
    return found


def put_plugin(config: Config, spec: str) -> None:
    """Replace the plugins of every backbone in a config.

    Plugins without ``stages`` go into the stages that train: those after ``frozen_stages``.

    Args:
        config: any OpenMMLab config with a backbone; changed in place.
        spec: see :func:`~dmsca_mm.plugin_spec.plugins_of`; ``'none'`` removes plugins.

    Raises:
        UsageError: as ``plugins_of``; or the config has no backbone, or a backbone rejects the plugins or has only
            frozen stages for a plugin without ``stages``.
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
    """Make every ResNet with plugins in a config accept them; depths 18 and 34 become ``PluginResNet``.

    Plugins of one type in a block get distinct names, see :func:`name_apart`.

    Args:
        config: changed in place.

    Raises:
        UsageError: the config has no backbone, or a backbone with plugins is not registered; or as
            :func:`plugin_entries` and :func:`name_apart`.
    """
    for backbone in backbones(config):
        if not backbone.get('plugins'):
            continue
        backbone['plugins'] = name_apart(plugin_entries(backbone), backbone.get('num_stages', 4))
        if not is_plugin_resnet(backbone):
            depths = getattr(backbone_class(backbone, config.get('default_scope')), 'arch_settings', {})
            block = depths[backbone.depth][0] if backbone.get('depth') in depths else None
            if getattr(block, 'expansion', None) == 1:
                kind = backbone.type  # a class by its name, so that the config can be dumped
                base = f'{kind.__module__}.{kind.__qualname__}' if inspect.isclass(kind) else kind
                backbone.update(type='PluginResNet', base=base)
                add_import(config, 'dmsca_mm')


def add_import(config: Config, module: str) -> None:
    """Make a config import a module, so that it runs with any OpenMMLab tool.

    Args:
        config: changed in place.
        module: full name of the module.
    """
    entry = config.get('custom_imports') or ConfigDict(allow_failed_imports=False)
    imports = entry.get('imports') or []
    imports = [imports] if isinstance(imports, str) else imports  # mmengine accepts both
    if module not in imports:
        config.custom_imports = ConfigDict({**entry, 'imports': [*imports, module]})
