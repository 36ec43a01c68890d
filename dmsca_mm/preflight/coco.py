"""A file in COCO's format, read one entry at a time: the training set of COCO takes 3 GB when it is parsed at once."""
from __future__ import annotations

from array import array
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from .json_lists import read_lists

_POLYGON = [[0.0] * 6]


class Image(NamedTuple):
    """An entry of ``images``; a field that the file does not give is None."""

    id: Any
    file_name: Any
    width: Any
    height: Any


class Category(NamedTuple):
    """An entry of ``categories``; a field that the file does not give is None."""

    id: Any
    name: Any


class Annotation(NamedTuple):
    """An entry of ``annotations``; a field that the file does not give is None.

    To take little memory, four finite numbers in ``bbox`` are an array, and the points of masks are left out.
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
    """What is read of a file: its three lists. Entries that are no JSON objects are left as they are."""

    images: list[Any]
    categories: Any
    annotations: Any


KINDS = dict(images=Image, categories=Category, annotations=Annotation)
"""What an entry of each list becomes."""


def read_coco(path: Path, named: str, annotations: bool = True) -> Coco:
    """Read an annotation file that lists images.

    Args:
        path: of the JSON file.
        named: what to call it in an error.
        annotations: whether these are read; else the result has none.

    Raises:
        UsageError: it is not JSON, or lists no images.
    """
    kinds = {part: kind for part, kind in KINDS.items() if annotations or part != 'annotations'}
    try:  # in the encoding that pycocotools takes: neither UTF-16 nor a byte order mark
        content = read_lists(path, lambda part, entry: _reduced(entry, kinds.get(part)))
    except UnicodeDecodeError as error:
        raise UsageError(f'{named} is not JSON in {error.encoding} ({error.reason} at byte {error.start}), which '
                         'pycocotools reads: write it anew in that encoding') from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{named} is no JSON object ({error}): get it anew') from None
    images = content.get('images')
    if not isinstance(images, list) or not images:
        raise UsageError(f'{named} lists no images')
    # a set whose truth is kept back has no annotations, and mmdet reads it
    return Coco(images, content.get('categories'), content.get('annotations', []) if annotations else [])


def _reduced(entry: Any, kind: type[Image | Category | Annotation] | None) -> Any:
    """The fields of an entry that are checked."""
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
    """What is left of a mask when all that matters of it is whether it is one, and a code's size."""
    if has_polygon(mask):
        return _POLYGON
    return dict(counts='', size=mask['size']) if is_code(mask) else mask


def has_polygon(mask: Any) -> bool:
    """Whether a ``segmentation`` is a list of polygons, one of them of three points or more."""
    return (isinstance(mask, list) and all(isinstance(polygon, list) for polygon in mask)
            and any(len(polygon) % 2 == 0 and len(polygon) >= 6 for polygon in mask))


def is_code(mask: Any) -> bool:
    """Whether a ``segmentation`` is a run-length code with its size."""
    return isinstance(mask, dict) and isinstance(mask.get('counts'), (list, str)) and mask.get('size') is not None
