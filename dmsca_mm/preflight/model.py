"""Check the backbones of a model and their plugins."""
from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from ..backbones import check_backbone
from ..config_tree import backbones
from ..errors import UsageError


def check_model(config: Config) -> None:
    """Check the backbones and their plugins.

    Args:
        config: an OpenMMLab config.

    Raises:
        UsageError: the model has no backbone; as :func:`~dmsca_mm.backbones.check_backbone`; a backbone builds a
            plugin for another number of channels than its input has.
    """
    for backbone in backbones(config):
        check_backbone(backbone, config.get('default_scope'))
        if any(entry['position'] != 'after_conv3' for entry in backbone.get('plugins') or ()):
            _check_widths(built_empty(backbone, config.get('default_scope')))


def built_empty(backbone: dict[str, Any], default_scope: str | None) -> nn.Module:
    """Build a backbone on the meta device, whose tensors have shapes but no data.

    Args:
        backbone: its dict; not modified, although mmdet's blocks remove entries from the dicts they are built from.
        default_scope: the library that resolves type names without a prefix.
    """
    with DefaultScope.overwrite_default_scope(default_scope or 'mmengine'), torch.device('meta'):
        return MODELS.build(copy.deepcopy({**backbone, 'init_cfg': None}))


def _check_widths(model: nn.Module) -> None:
    """Compare the channels of plugins inside a block with those of their input.

    Res2Net, mmseg's ResNeXt and DetectoRS_ResNeXt widen their inner convolutions but not the plugins there.
    """
    for block in model.modules():
        for place, width in (('after_conv1', lambda block: block.conv1.out_channels),
                             ('after_conv2', lambda block: block.conv3.in_channels)):
            for name in getattr(block, f'{place}_plugin_names', ()) if hasattr(block, 'conv3') else ():
                built = getattr(getattr(block, name), 'in_channels', None)
                if built not in (None, width(block)):
                    raise UsageError(f'plugin position {place}: {type(model).__name__} builds the plugin for {built} '
                                     f"channels where its blocks have {width(block)}: use position='after_conv3'")


def frozen_plugins(config: Config) -> list[str]:
    """Return warnings about plugins in frozen stages, which would keep their initialization.

    Args:
        config: an OpenMMLab config that passed :func:`check_model`.
    """
    found = []
    for backbone in backbones(config):
        frozen, number = backbone.get('frozen_stages', -1), backbone.get('num_stages', 4)
        for entry in backbone.get('plugins') or []:
            stages = entry.get('stages') or (True,) * number
            stuck = [stage for stage, has in enumerate(stages, start=1) if has and stage <= frozen]
            if stuck:
                free = tuple(has and stage > frozen for stage, has in enumerate(stages, start=1))
                found.append(f'plugin {entry["cfg"]["type"]} in stage {", ".join(map(str, stuck))} does not train with '
                             f'frozen_stages={frozen}: give stages={free}, or frozen_stages={min(stuck) - 1}')
    return found
