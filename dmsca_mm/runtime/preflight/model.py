"""The model and its plugins: what a backbone takes, and where."""
from __future__ import annotations

from mmengine.config import Config

from ...plugin import backbones, check_backbone


def check_model(config: Config) -> None:
    """Check the backbones and their plugins.

    Args:
        config: an OpenMMLab config.

    Raises:
        UsageError: there is no backbone, or as :func:`~dmsca_mm.plugin.check_backbone`.
    """
    for backbone in backbones(config):
        check_backbone(backbone, config.get('default_scope'))


def frozen_plugins(config: Config) -> list[str]:
    """Warnings of plugins in stages that do not train: they would stay as they start.

    Args:
        config: an OpenMMLab config whose model is checked.
    """
    found = []
    for backbone in backbones(config):
        frozen, number = backbone.get('frozen_stages', -1), backbone.get('num_stages', 4)
        for entry in backbone.get('plugins') or []:
            stages = entry.get('stages') or (True,) * number
            stuck = [stage for stage, has in enumerate(stages, start=1) if has and stage <= frozen]
            if stuck:
                free = tuple(has and stage > frozen for stage, has in enumerate(stages, start=1))
                found.append(f'plugin {entry["cfg"]["type"]} in stage {", ".join(map(str, stuck))} does not train, for '
                             f'frozen_stages={frozen}: give stages={free}, or frozen_stages={min(stuck) - 1}')
    return found
