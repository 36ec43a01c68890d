"""The metric that ranks a model."""
from __future__ import annotations

from mmengine.config import Config

MAIN_METRICS = ('coco/bbox_mAP', 'mIoU', 'accuracy/top1')
"""The main metric is the first of these that the evaluator reports."""


def is_percent(config: Config) -> bool:
    """Return whether the config's library reports metrics in percent instead of as fractions of 1."""
    return config.get('default_scope') in ('mmseg', 'mmpretrain')
