"""Limit a config's test data to some of its images, if its metrics can score them."""
from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import TRANSFORMS

from ...errors import UsageError
from ..inference import data_set


def take(config: Config, images: int | None) -> int:
    """Limit the test of a config to images at even intervals, as data of classifiers are often sorted by class.

    Args:
        config: with ``test_dataloader``, whose data have been checked; changed in place.
        images: number of images, at least 1; None for all.

    Returns:
        The number of images that are tested.

    Raises:
        UsageError: there are fewer images, none of them is annotated, or the data set cannot be limited.
    """
    settings = config.test_dataloader.dataset
    data = data_set(config)
    if images is None:
        return len(data)
    if 'dataset' in settings or 'datasets' in settings or not hasattr(data, 'get_subset'):
        raise UsageError(f'--images {images}: the test data are a {type(data).__name__}, which cannot be cut: '
                         'omit --images')
    if not 1 <= images <= len(data):
        raise UsageError(f'--images {images}: the test data have {len(data)}, give 1 to {len(data)}')
    places = [number * len(data) // images for number in range(images)]
    if not any(_annotated(data, place, config.get('default_scope')) for place in places):
        raise UsageError(f'--images {images}: none of these {images} of {len(data)} test images has an annotation, so '
                         'no metric can be computed; give more')
    settings.indices = places
    return images


def score_alone(evaluator: Evaluator, data: Any) -> None:
    """Make COCO's metrics score only the images of a limited data set, not all of the annotation file.

    Args:
        evaluator: changed in place.
        data: data set that is tested; a complete one changes nothing.

    Raises:
        UsageError: a metric always scores its whole annotation file.
    """
    if getattr(data, '_indices', None) is None:
        return
    for metric in evaluator.metrics:
        if hasattr(metric, 'img_ids'):
            metric.img_ids = [data.get_data_info(place)['img_id'] for place in range(len(data))]
        elif getattr(metric, 'ann_file', None):
            raise UsageError(f'{type(metric).__name__} scores all images of its annotation file, so it cannot score '
                             f'only {len(data)} of them: omit --images')


def _annotated(data: Any, place: int, scope: str | None) -> bool:
    info = data.get_data_info(place)
    if scope == 'mmseg':
        if not info.get('seg_map_path'):
            return False
        labels = TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))(info)['gt_seg_map']
        return bool(np.any(labels != data.ignore_index))
    if scope == 'mmpretrain':
        return 'gt_label' in info
    return any(not instance['ignore_flag'] for instance in info.get('instances', ()))
