"""Check the entries of a COCO annotation file, as mmdet and pycocotools read them."""
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
"""Name of a field, description of a valid value, and a predicate that tests one."""

_FIELDS: dict[str, tuple[Field, ...]] = dict(
    images=(('id', 'a number', _is_id), ('file_name', 'a name', lambda value: isinstance(value, str) and value != ''),
            ('width', 'a positive number', _is_size), ('height', 'a positive number', _is_size)),
    categories=(('id', 'a number', _is_id), ('name', 'a name', lambda value: isinstance(value, str))),
    annotations=(('id', 'a number', _is_id), ('image_id', 'a number', _is_id), ('category_id', 'a number', _is_id),
                 ('bbox', 'four numbers, x, y, width and height', _is_box), ('area', 'a number', _is_number)))
_FOR_METRICS: tuple[Field, ...] = (('iscrowd', '0 or 1', lambda value: value in (0, 1)), ('id', 'a number', _is_number))
"""What pycocotools needs, and mmdet does not."""


def check_coco(content: Coco, named: str, for_metrics: bool) -> list[str]:
    """Check every entry of an annotation file, as mmdet and pycocotools read it.

    Args:
        content: contents of the file.
        named: name of the file in messages.
        for_metrics: whether pycocotools evaluates with the file, which requires ``iscrowd`` and ids that are numbers.

    Returns:
        A warning about different images that share an id; mmdet keeps the last one.

    Raises:
        UsageError: the first entry with a missing or invalid field; a repeated id of a category, which mmdet counts as
            two classes, or of an annotation, whose ids mmdet asserts to be unique.
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
                raise UsageError(f'{named}: {part}[{place}] is {entry!r:.80}, must be an object with fields')
            for field, expected, is_right in fields:
                value = getattr(entry, field)
                if not is_right(value):
                    has = 'is missing' if value is None else f'is {value!r:.80}'
                    raise UsageError(f'{named}: {part}[{place}].{field} {has}; must be {expected}')
        if len({entry.id for entry in entries}) < len(entries):
            found += _repeated(entries, part, named)
    return found


def _repeated(entries: list[Any], part: str, named: str) -> list[str]:
    places: dict[Any, int] = {}
    twice = []
    for place, entry in enumerate(entries):
        before = places.setdefault(entry.id, place)
        if before != place and (part != 'images' or entry != entries[before]):  # mmdet reads identical images once
            twice.append((before, place))
    if not twice:
        return []
    before, place = twice[0]
    message = (f'{named}: {part}[{place}].id is {entries[place].id!r}, which {part}[{before}] has already '
               f'({len(twice)} of {len(entries)} {part} repeat an id)')
    if part != 'images':
        raise UsageError(f'{message}: ids must be unique')
    return [f'{message}: mmdet keeps the last image of an id and gives it the boxes of all, so '
            f'{entries[before].file_name} is left out']
