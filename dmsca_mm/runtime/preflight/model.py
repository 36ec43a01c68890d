"""The model and its plugins: what a backbone takes, and where."""
from __future__ import annotations

from mmengine.config import Config

from ...attention import DMSCA
from ...errors import UsageError
from ...plugin import backbones, check_operator_arguments, check_takes_plugins

POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')
"""Where mmdet's and mmseg's Bottleneck lets plugins in."""


def check_model(config: Config) -> None:
    """Check the backbones and their plugins.

    Args:
        config: an OpenMMLab config.

    Raises:
        UsageError: no backbone, a backbone that takes no plugins, operator arguments out of range, stages of another
            number than the backbone's, a position that its blocks do not have.
    """
    for backbone in backbones(config):
        entries = backbone.get('plugins') or []
        if entries:
            check_takes_plugins(backbone, config.get('default_scope'))
        for entry in entries:
            stages, number = entry.get('stages'), backbone.get('num_stages', 4)
            if stages is not None and len(stages) != number:
                raise UsageError(f'plugin stages {tuple(stages)} has {len(stages)} entries, but the backbone has '
                                 f'{number} stages: give one of True and False for each')
            if entry.get('position') not in POSITIONS:
                raise UsageError(f'plugin position {entry.get("position")!r}: the Bottleneck blocks of {backbone.type} '
                                 f'take {", ".join(POSITIONS)}')
            arguments = dict(entry['cfg'])
            if arguments.pop('type') in ('DMSCA', DMSCA):
                arguments.pop('postfix', None)
                try:
                    check_operator_arguments(arguments)
                except (TypeError, ValueError) as error:
                    raise UsageError(f'plugin DMSCA: {error}') from None


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
