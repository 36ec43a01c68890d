"""Parse the value of ``--plugin``: ``NAME``, ``NAME:key=value,key=value``, or several of these joined by ``+``."""
from __future__ import annotations

import ast
import re
from typing import Any

from mmengine.registry import MODELS

from .errors import UsageError
from .plugins import PLUGINS
from .presets import dmsca

FORM = 'NAME[:KEY=VALUE,...][+NAME...]'
NONE = 'none'
OF_THE_PLUGIN = 'position', 'stages'
"""Keys of the plugin itself; all others are arguments of its operator."""


def plugins_of(spec: str) -> list[dict[str, Any]]:
    """Parse a spec into plugin dicts; those without ``stages`` go into every stage that trains.

    Args:
        spec: such as ``'dmsca'``, ``'none'``, ``'se:reduction=8,position=after_conv2'`` or ``'se+dmsca'``. A name is a
            key of ``PLUGINS`` or the type of a registered layer, such as ``'ContextBlock'``.

    Raises:
        UsageError: an unknown name, or an argument that is not ``KEY=VALUE``.
    """
    if spec == NONE:
        return []
    return [_plugin(part) for part in re.split(r'\+(?=[^\W\d])', spec)]


def _plugin(part: str) -> dict[str, Any]:
    name, colon, arguments = part.partition(':')
    if PLUGINS.get(name) is None and not _is_layer(name):
        raise UsageError(f'unknown plugin {name!r}: choose one of {", ".join(PLUGINS)}, or the type of a registered '
                         f'layer; write {FORM}, or only "none"')
    preset = dict(PLUGINS.get(name) or dict(dmsca, cfg=dict(type=name)))
    values = dict(map(_pair, re.split(r',(?=[^\W\d]\w*=)', arguments))) if colon else {}
    own = {key: values.pop(key) for key in OF_THE_PLUGIN if key in values}
    del preset['stages']
    return preset | own | dict(cfg=preset['cfg'] | values)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition('=')
    if not (key.isidentifier() and equals and value):
        raise UsageError(f'plugin argument {text!r} is not KEY=VALUE: write for example reduction=8')
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def _is_layer(name: str) -> bool:
    import mmcv.cnn  # noqa: F401  # registers its layers
    return re.fullmatch(r'[\w.]+', name) is not None and MODELS.get(name) is not None
