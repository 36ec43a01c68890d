"""The weights that a run starts from: there, whole, and nothing but weights."""
from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config

from ...errors import UsageError
from .. import checkpoint


def check_weights(config: Config) -> None:
    """Check the weights that a config starts from, as far as they lie here.

    Args:
        config: with ``load_from``, ``init_cfg`` or ``pretrained`` anywhere in its model.

    Raises:
        UsageError: a local file that is missing, cut short or holds code; torchvision weights without torchvision.
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
    if config.get('load_from') and '://' not in config.load_from:
        checkpoint.read(config.load_from)


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
