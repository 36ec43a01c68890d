"""The entries of an annotation file in COCO's format, as mmdet and pycocotools will read them."""
from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .coco import KINDS, Coco


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)


def _is_size(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_box(value: Any) -> bool:
    return isinstance(value, array)


Field = tuple[str, str, Callable[[Any], bool]]
"""A field's name, what it must hold in words, and whether it does."""

_FIELDS: dict[str, tuple[Field, ...]] = dict(
    images=(('id', 'a number', _is_id), ('file_name', 'a name', lambda value: isinstance(value, str) and value != ''),
            ('width', 'a positive number', _is_size), ('height', 'a positive number', _is_size)),
    categories=(('id', 'a number', _is_id), ('name', 'a name', lambda value: isinstance(value, str))),
    annotations=(('id', 'a number', _is_id), ('image_id', 'a number', _is_id), ('category_id', 'a number', _is_id),
                 ('bbox', 'four numbers, x, y, width and height', _is_box), ('area', 'a number', _is_number)))
_FOR_METRICS = (('iscrowd', '0 or 1', lambda value: value in (0, 1)),)


def check_coco(content: Coco, named: str, for_metrics: bool) -> list[str]:
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
    for part, fields in _FIELDS.items():
        entries = getattr(content, part)
        if not isinstance(entries, list):
            raise UsageError(f'{named} has no list {part}')
        if part == 'annotations' and for_metrics:
            fields = fields + _FOR_METRICS
        for place, entry in enumerate(entries):
            if not isinstance(entry, KINDS[part]):
                raise UsageError(f'{named}: {part}[{place}] is {entry!r:.80}, no entry with fields')
            for field, expected, is_right in fields:
                value = getattr(entry, field)
                if not is_right(value):
                    has = 'is missing' if value is None else f'is {value!r:.80}'
                    raise UsageError(f'{named}: {part}[{place}].{field} {has}; {expected} must be there')
        if len({entry.id for entry in entries}) < len(entries):
            found += _repeated(entries, part, named)
    return found


def _repeated(entries: list[Any], part: str, named: str) -> list[str]:
    places: dict[Any, int] = {}
    twice = []
    for place, entry in enumerate(entries):
        before = places.setdefault(entry.id, place)
        if before != place and (part != 'images' or entry != entries[before]):  # the same image twice is read once
            twice.append((before, place))
    if not twice:
        return []
    before, place = twice[0]
    message = (f'{named}: {part}[{place}].id is {entries[place].id!r}, which {part}[{before}] has already '
               f'({len(twice)} of {len(entries)} {part} repeat an id)')
    if part != 'images':
        raise UsageError(f'{message}: each must be given once')
    return [f'{message}: mmdet keeps the last image of an id and gives it the boxes of all, so '
            f'{entries[before].file_name} is left out']
