"""Annotations and images that mmdet silently drops from a COCO annotation file."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import UsageError
from .coco import Annotation, Coco

_LEFT_OUT = dict(
    image='have an image_id that the file does not list', category='have a category_id that the file does not list',
    unnamed='are of categories that the data set does not name in its classes',
    thin='are less than a pixel wide or high (a box is x, y, width and height in pixels)',
    outside='lie outside their image', area='have an area of 0 or less')
_BEYOND = 1
"""Pixels by which a box may extend beyond its image, for example due to rounding."""


def usable(content: Coco, classes: Iterable[str] | None, chosen: bool, named: str
           ) -> tuple[list[Annotation], list[str]]:
    """Return the annotations that mmdet's CocoDataset keeps, by the rules of its ``parse_data_info``.

    Args:
        content: contents of the file; every entry has its fields.
        classes: names of the data set's classes; None selects all categories.
        chosen: whether the config sets them; other categories are then dropped on purpose.
        named: name of the file in warnings.

    Returns:
        The annotations that are kept, and warnings about those that mmdet drops or crops.
    """
    sizes = {image.id: (image.width, image.height) for image in content.images}
    categories = {entry.id for entry in content.categories}
    used = category_ids(content, classes)
    kept, dropped, beyond = [], {}, []
    for place, entry in enumerate(content.annotations):
        why = _why(entry, sizes.get(entry.image_id), categories, used)
        if why is None:
            kept.append(entry)
            if _reaches_beyond(entry.bbox, sizes[entry.image_id]):
                beyond.append(place)
        elif why:
            dropped.setdefault(why, []).append(place)
    if chosen:
        dropped.pop('unnamed', None)
    found = [f'{_some(content, places, named)} {_LEFT_OUT[why]}: mmdet leaves them out'
             for why, places in dropped.items()]
    if beyond:
        found.append(f'{_some(content, beyond, named)} reach more than a pixel beyond their image, where '
                     'mmdet cuts them: a box is x, y, width and height, not two corners')
    return kept, found


def check_left(content: Coco, classes: Iterable[str] | None, filters: dict[str, Any], named: str) -> list[str]:
    """Check that images are left to train on.

    Args:
        content: contents of the file.
        classes: see :func:`usable`.
        filters: the data set's ``filter_cfg``; empty if it has none.
        named: name of the file in messages.

    Returns:
        Warnings.

    Raises:
        UsageError: no image is left, on which mmengine fails with "need at least one array to concatenate".
    """
    images = {image.id: image for image in content.images}  # the last image of a repeated id stays
    used, smallest = category_ids(content, classes), filters.get('min_size', 0)
    boxed = {entry.image_id for entry in content.annotations if entry.category_id in used}
    empty = [image for image in images if image not in boxed] if filters.get('filter_empty_gt') else []
    small = [image for image, entry in images.items() if min(entry.width, entry.height) < smallest]
    reasons = []
    if empty:
        reasons.append(f'{len(empty)} of {len(images)} images have no annotation of a class '
                       '(filter_cfg.filter_empty_gt)')
    if small:
        reasons.append(f'{len(small)} of {len(images)} images are less than {smallest} pixels wide or high '
                       '(filter_cfg.min_size)')
    if len({*empty, *small}) == len(images):
        raise UsageError(f'{named} leaves no image to train on: {" and ".join(reasons)}; check its annotations and '
                         'categories, metainfo.classes and filter_cfg')
    return [f'{named}: {reason} and are left out' for reason in reasons]


def nothing_to_learn(content: Coco, kept: list[Annotation], named: str) -> list[str]:
    """Return a warning if no box is left to learn from.

    Args:
        content: contents of the file.
        kept: the annotations that :func:`usable` returns.
        named: name of the file in messages.
    """
    if any(not entry.iscrowd for entry in kept):
        return []
    crowds = f': {len(kept)} are kept, all of crowds' if kept else ''
    return [f'{named} leaves no box to learn from, of {len(content.annotations)} annotations{crowds}']


def category_ids(content: Coco, classes: Iterable[str] | None) -> set[Any]:
    """Return the ids of the categories that a data set reads.

    Args:
        content: contents of the file.
        classes: names of the data set's classes; None selects all.
    """
    chosen = None if classes is None else set(classes)
    return {entry.id for entry in content.categories if chosen is None or entry.name in chosen}


def _why(entry: Annotation, size: tuple[float, float] | None, categories: set[Any], used: set[Any]) -> str | None:
    """Return a key of ``_LEFT_OUT``; None if the annotation is kept, '' if its ``ignore`` field is set."""
    if size is None:
        return 'image'
    if entry.ignore:
        return ''
    x, y, width, height = entry.bbox
    if width < 1 or height < 1:
        return 'thin'
    if min(x + width, size[0]) <= max(x, 0) or min(y + height, size[1]) <= max(y, 0):
        return 'outside'
    if entry.area <= 0:
        return 'area'
    if entry.category_id not in used:
        return 'unnamed' if entry.category_id in categories else 'category'
    return None


def _reaches_beyond(box: list[float], size: tuple[float, float]) -> bool:
    x, y, width, height = box
    return x < -_BEYOND or y < -_BEYOND or x + width > size[0] + _BEYOND or y + height > size[1] + _BEYOND


def _some(content: Coco, places: list[int], named: str) -> str:
    first = content.annotations[places[0]]
    return (f'{named}: {len(places)} of {len(content.annotations)} annotations (the first is '
            f'annotations[{places[0]}] of image_id {first.image_id!r}, bbox {first.bbox.tolist()})')
