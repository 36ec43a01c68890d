"""What mmdet leaves out of a file in COCO's format without a word, and whether anything is left."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import UsageError
from .coco import Annotation, Coco

_LEFT_OUT = dict(
    image='are of images that it does not list', category='are of categories that it does not list',
    unnamed='are of categories that the data set does not name in its classes',
    thin='are less than a pixel wide or high (a box is x, y, width and height in pixels)',
    outside='lie outside their image', area='have an area of 0 or less')
_BEYOND = 1
"""Pixels by which a box may reach beyond its image, as boxes that were rounded do."""


def usable(content: Coco, classes: Iterable[str] | None, chosen: bool, named: str
           ) -> tuple[list[Annotation], list[str]]:
    """The annotations that mmdet's CocoDataset keeps; its ``parse_data_info`` has these rules.

    Args:
        content: of the file; every entry has its fields.
        classes: names of the data set's classes; None takes all categories.
        chosen: whether the config names them: then other categories are meant to be left out.
        named: what to call the file in a warning.

    Returns:
        The annotations that are kept, and warnings of those that are not.
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


def check_left(content: Coco, kept: list[Annotation], classes: Iterable[str] | None,
               filters: dict[str, Any], named: str) -> list[str]:
    """Count the images and boxes that a training has.

    Args:
        content: of the file.
        kept: the annotations that :func:`usable` leaves.
        classes: see :func:`usable`.
        filters: the data set's ``filter_cfg``, empty where it has none.
        named: what to call the file in a message.

    Returns:
        Warnings.

    Raises:
        UsageError: no image is left; mmengine ends with "need at least one array to concatenate" then.
    """
    images = {image.id: image for image in content.images}  # of a repeated id the last stays
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
    found = [f'{named}: {reason} and are left out' for reason in reasons]
    if not any(not entry.iscrowd for entry in kept):
        found.append(f'{named} leaves no box to learn from, of {len(content.annotations)} annotations: '
                     f'{len(kept)} are kept, all of crowds' if kept else
                     f'{named} leaves no box to learn from, of {len(content.annotations)} annotations')
    return found


def category_ids(content: Coco, classes: Iterable[str] | None) -> set[Any]:
    """The ids of the categories that a data set reads.

    Args:
        content: of the file.
        classes: names of the data set's classes; None takes all.
    """
    chosen = None if classes is None else set(classes)
    return {entry.id for entry in content.categories if chosen is None or entry.name in chosen}


def _why(entry: Annotation, size: tuple[float, float] | None, categories: set[Any], used: set[Any]) -> str | None:
    """A key of ``_LEFT_OUT``; None where the annotation is kept, '' where it asks to be left out."""
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
