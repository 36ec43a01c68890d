"""The categories of a file in COCO's format beside the classes of the data set that reads it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..errors import UsageError
from .coco import Category, Coco


def check_categories(content: Coco, classes: Sequence[str], chosen: bool, named: str) -> list[str]:
    """Compare names and order: mmdet numbers labels in the order of the file and names them by the classes.

    Args:
        content: of the file.
        classes: of the data set.
        chosen: whether the config names them.
        named: what to call the file in a message.

    Returns:
        A warning of another order.

    Raises:
        UsageError: a class that the file lacks, which renumbers those behind it and ends CocoMetric with an IndexError;
            one that it has twice, whose labels go beyond the heads.
    """
    names = [str(entry.name) for entry in content.categories or () if isinstance(entry, Category)]
    if not names:
        return []
    have = ', '.join(names[:20]) + (f' and {len(names) - 20} more' if len(names) > 20 else '')
    if missing := [name for name in classes if name not in names]:
        whose = 'which metainfo.classes names' if chosen else (
            "one of the data set's own classes: name yours in metainfo=dict(classes=(...)) of every data set")
        raise UsageError(f'{named} has no category {missing[0]!r}, {whose}; it has {have}')
    chosen = set(classes)
    read = [name for name in names if name in chosen]
    if twice := [name for name, number in Counter(read).items() if number > 1]:
        raise UsageError(f'{named} has category {twice[0]!r} {read.count(twice[0])} times: labels would go beyond the '
                         'classes; give each name once')
    if read != (order := list(dict.fromkeys(classes))):
        place = next(place for place, (one, other) in enumerate(zip(read, order, strict=True)) if one != other)
        return [f'{named} has its categories in another order than the classes: label {place} is {read[place]!r}, '
                f'and mmdet names it {order[place]!r}; give metainfo.classes in the order of the file']
    return []
