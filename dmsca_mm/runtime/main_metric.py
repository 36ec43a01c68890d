"""The one metric by which a model is judged."""
from __future__ import annotations

from mmengine.config import Config

MAIN_METRICS = ('coco/bbox_mAP', 'mIoU', 'accuracy/top1')
"""The first of these that an evaluator gives."""


def is_percent(config: Config) -> bool:
    """Whether its library gives metrics in per cent, and not as shares of 1."""
    return config.get('default_scope') in ('mmseg', 'mmpretrain')
