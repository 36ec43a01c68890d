"""Read a COCO annotation file one entry at a time: parsing the training set of COCO at once takes 3 GB."""
from __future__ import annotations

from array import array
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from .json_lists import read_lists

_POLYGON = [[0.0] * 6]


class Image(NamedTuple):
    """An entry of ``images``; fields that are missing from the file are None."""

    id: Any
    file_name: Any
    width: Any
    height: Any


class Category(NamedTuple):
    """An entry of ``categories``; fields that are missing from the file are None."""

    id: Any
    name: Any


class Annotation(NamedTuple):
    """An entry of ``annotations``; fields that are missing from the file are None.

    To save memory, four finite numbers in ``bbox`` become an array, and the points of masks are dropped.
    """

    id: Any
    image_id: Any
    category_id: Any
    bbox: Any
    area: Any
    iscrowd: Any
    ignore: Any
    segmentation: Any


class Coco(NamedTuple):
    """The three lists of an annotation file. Entries that are not JSON objects are kept unchanged."""

    images: list[Any]
    categories: Any
    annotations: Any


KINDS = dict(images=Image, categories=Category, annotations=Annotation)
"""Type of the entries of each list."""


def read_coco(path: Path, named: str, annotations: bool = True) -> Coco:
    """Read an annotation file that lists images.

    Args:
        path: path of the JSON file.
        named: name of the file in messages.
        annotations: whether to read ``annotations``; otherwise the result has none.

    Raises:
        UsageError: the file is not a JSON object, or lists no images.
    """
    kinds = {part: kind for part, kind in KINDS.items() if annotations or part != 'annotations'}
    try:  # in the encoding that pycocotools uses: UTF-16 and byte order marks fail
        content = read_lists(path, lambda part, entry: _reduced(entry, kinds.get(part)))
    except UnicodeDecodeError as error:
        raise UsageError(f'{named} is not JSON in {error.encoding} ({error.reason} at byte {error.start}), which '
                         'pycocotools reads: save it in that encoding') from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{named} is no JSON object ({error}): get a new copy') from None
    images = content.get('images')
    if not isinstance(images, list) or not images:
        raise UsageError(f'{named} lists no images')
    # test sets often have no annotations, and mmdet reads them
    return Coco(images, content.get('categories'), content.get('annotations', []) if annotations else [])


def _reduced(entry: Any, kind: type[Image | Category | Annotation] | None) -> Any:
    """Reduce an entry to the fields that are checked."""
    if kind is None or not isinstance(entry, dict):
        return kind and entry
    kept = kind(*map(entry.get, kind._fields))
    if kind is Annotation:
        return kept._replace(bbox=_packed(kept.bbox), segmentation=_without_points(kept.segmentation))
    return kept


def _packed(box: Any) -> Any:
    numbers = isinstance(box, list) and all(type(value) in (int, float) and isfinite(value) for value in box)
    return array('d', box) if numbers and len(box) == 4 else box


def _without_points(mask: Any) -> Any:
    """Reduce a mask to what is checked: its kind, and the size of a run-length encoding."""
    if has_polygon(mask):
        return _POLYGON
    return dict(counts='', size=mask['size']) if is_code(mask) else mask


def has_polygon(mask: Any) -> bool:
    """Return whether a ``segmentation`` is a list of polygons, at least one of them with three points or more."""
    return (isinstance(mask, list) and all(isinstance(polygon, list) for polygon in mask)
            and any(len(polygon) % 2 == 0 and len(polygon) >= 6 for polygon in mask))


def is_code(mask: Any) -> bool:
    """Return whether a ``segmentation`` is a run-length encoding with its size."""
    return isinstance(mask, dict) and isinstance(mask.get('counts'), (list, str)) and mask.get('size') is not None
