"""Annotation files in COCO's format, entry by entry."""
from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UsageError


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)


def _is_size(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


Field = tuple[str, str, Callable[[Any], bool]]
"""A field's name, what it must hold in words, and whether it does."""

_PARTS: dict[str, tuple[Field, ...]] = dict(
    images=(('id', 'a number', _is_id), ('file_name', 'a name', lambda value: isinstance(value, str) and value != ''),
            ('width', 'a positive number', _is_size), ('height', 'a positive number', _is_size)),
    categories=(('id', 'a number', _is_id), ('name', 'a name', lambda value: isinstance(value, str))),
    annotations=(('id', 'a number', _is_id), ('image_id', 'a number', _is_id), ('category_id', 'a number', _is_id),
                 ('bbox', 'four numbers, x, y, width and height', _is_box), ('area', 'a number', _is_number)))
_FOR_METRICS = (('iscrowd', '0 or 1', lambda value: value in (0, 1)),)


def read_coco(path: Path, named: str) -> dict[str, Any]:
    """An annotation file that lists images.

    Args:
        path: of the JSON file.
        named: what to call it in an error.

    Raises:
        UsageError: it is not JSON, or lists no images.
    """
    try:
        with path.open() as file:  # as pycocotools opens it, which takes neither UTF-16 nor a byte order mark
            content = json.load(file)
    except UnicodeDecodeError as error:
        raise UsageError(f'{named} is not JSON in {error.encoding} ({error.reason} at byte {error.start}), which '
                         'pycocotools reads: write it anew in that encoding') from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{named} is not JSON ({error}): get it anew') from None
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list) or not images:
        raise UsageError(f'{named} lists no images')
    content.setdefault('annotations', [])  # a set whose truth is kept back has none, and mmdet reads it
    return content


def check_coco(content: dict[str, Any], named: str, for_metrics: bool) -> list[str]:
    """Check every entry of an annotation file as mmdet and pycocotools will read it.

    Args:
        content: of the file.
        named: what to call it in an error.
        for_metrics: whether pycocotools measures by it, which needs ``iscrowd``.

    Returns:
        A warning of different images of one id, of which mmdet keeps the last.

    Raises:
        UsageError: the first entry that lacks something or holds what it cannot; an id of a category or annotation that
            is given twice: mmdet numbers the first as two classes and asserts that the others are unique.
    """
    found = []
    for part, fields in _PARTS.items():
        entries = content.get(part)
        if not isinstance(entries, list):
            raise UsageError(f'{named} has no list {part}')
        if part == 'annotations' and for_metrics:
            fields = fields + _FOR_METRICS
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise UsageError(f'{named}: {part}[{place}] is {entry!r:.80}, no entry with fields')
            for field, wanted, is_right in fields:
                if not is_right(entry.get(field)):
                    has = f'is {entry[field]!r:.80}' if field in entry else 'is missing'
                    raise UsageError(f'{named}: {part}[{place}].{field} {has}; {wanted} must be there')
        if len({entry['id'] for entry in entries}) < len(entries):
            found += _repeated(entries, part, named)
    return found


def _repeated(entries: list[dict[str, Any]], part: str, named: str) -> list[str]:
    places: dict[Any, int] = {}
    twice = []
    for place, entry in enumerate(entries):
        before = places.setdefault(entry['id'], place)
        if before != place and (part != 'images' or entry != entries[before]):  # the same image twice is read once
            twice.append((before, place))
    if not twice:
        return []
    before, place = twice[0]
    said = (f'{named}: {part}[{place}].id is {entries[place]["id"]!r}, which {part}[{before}] has already '
            f'({len(twice)} of {len(entries)} {part} repeat an id)')
    if part != 'images':
        raise UsageError(f'{said}: each must be given once')
    return [f'{said}: mmdet keeps the last image of an id and gives it the boxes of all, so '
            f'{entries[before]["file_name"]} is left out']
