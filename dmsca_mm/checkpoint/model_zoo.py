"""Names and addresses of published weights, from the tables that mmengine ships."""
from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import mmengine
from mmengine.runner.checkpoint import get_deprecated_model_names, get_external_models, get_mmcls_models
from torch import nn

TORCHVISION = ('torchvision', 'modelzoo')
OPENMMLAB = ('open-mmlab', 'openmmlab')
"""Prefixes before ``://`` in a name."""

_NAMES = {
    'ResNet': ('torchvision://resnet{depth}',),
    'ResNet of style caffe': ('open-mmlab://detectron2/resnet{depth}_caffe',),
    'ResNetV1c': ('open-mmlab://resnet{depth}_v1c',),
    'ResNeXt': ('torchvision://resnext{depth}_{groups}x{width}d', 'open-mmlab://resnext{depth}_{groups}x{width}d'),
    'ResNeSt': ('open-mmlab://resnest{depth}',),
    'wide ResNet': ('torchvision://wide_resnet{depth}_2',),
}
"""Names that torchvision and OpenMMLab give the weights of a backbone."""


def address(name: str) -> str | None:
    """Return the address of published weights, or None if no table has the name.

    Args:
        name: such as ``'torchvision://resnet18'`` or ``'open-mmlab://resnet50_v1c'``.
    """
    zoo, _, key = name.partition('://')
    return _table(zoo).get(get_deprecated_model_names().get(key, key) if zoo in OPENMMLAB else key)


def is_unknown(name: str) -> bool:
    """Return whether an OpenMMLab name is in none of its tables; False for torchvision, whose table is incomplete.

    Args:
        name: name of weights.
    """
    return name.partition('://')[0] in (*OPENMMLAB, 'mmcls') and address(name) is None


def near(name: str) -> list[str]:
    """Return similar names in the same model zoo.

    Args:
        name: name of weights.
    """
    zoo, _, key = name.partition('://')
    return [f'{zoo}://{found}' for found in get_close_matches(key, _table(zoo))]


def weights_of(backbone: dict[str, Any], kind: str, depth: int | None = None) -> str | None:
    """Return the name of a backbone's published ImageNet weights, or None if none have its shapes.

    Args:
        backbone: its dict.
        kind: name of its class.
        depth: depth to use instead of the backbone's.
    """
    family = _family(backbone, kind)
    values = dict(depth=depth or backbone.get('depth'), groups=backbone.get('groups', 1),
                  width=backbone.get('base_width', backbone.get('width_per_group', 4)))
    names = [name.format(**values) for name in _NAMES.get(family, ())]
    return next((name for name in names if address(name)), None)


def _family(backbone: dict[str, Any], kind: str) -> str | None:
    """Return the key to look up in ``_NAMES``; None if widths, stem or norms differ from the published networks."""
    if kind == 'ResNet' and (backbone.get('base_channels'), backbone.get('expansion')) == (128, 2):
        return 'wide ResNet'
    usual = dict(base_channels=64, stem_channels=64, in_channels=3, small_stem=False, avg_down=False, conv_cfg=None)
    norm = (backbone.get('norm_cfg') or {}).get('type', 'BN')
    if norm not in ('BN', 'SyncBN', nn.BatchNorm2d, nn.SyncBatchNorm):
        return None
    if any(backbone.get(key) not in (None, value) for key, value in usual.items()):
        return None
    if kind == 'ResNet' and backbone.get('deep_stem'):
        return 'ResNetV1c'
    if kind == 'ResNet' and backbone.get('style') == 'caffe':
        return 'ResNet of style caffe'
    return kind


def _table(zoo: str) -> dict[str, str]:
    if zoo in TORCHVISION:
        return mmengine.load(Path(mmengine.__file__).parent / 'hub' / 'torchvision_0.12.json')
    return get_external_models() if zoo in OPENMMLAB else get_mmcls_models() if zoo == 'mmcls' else {}
