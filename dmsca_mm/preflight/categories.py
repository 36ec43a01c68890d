"""Compare the categories of a COCO annotation file with the classes of its data set."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..errors import UsageError
from .coco import Category, Coco


def check_categories(content: Coco, classes: Sequence[str], chosen: bool, named: str) -> list[str]:
    """Compare names and order: mmdet numbers labels in file order but names them in class order.

    Args:
        content: contents of the file.
        classes: class names of the data set.
        chosen: whether the config sets them.
        named: name of the file in messages.

    Returns:
        A warning if the order differs.

    Raises:
        UsageError: a class missing from the file, which shifts the labels after it and makes CocoMetric raise an
            IndexError; a repeated class, whose labels exceed those of the heads.
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
        raise UsageError(f'{named} has category {twice[0]!r} {read.count(twice[0])} times: labels would exceed the '
                         'classes; use each name once')
    if read != (order := list(dict.fromkeys(classes))):
        place = next(place for place, (one, other) in enumerate(zip(read, order, strict=True)) if one != other)
        return [f'{named} has its categories in another order than the classes: label {place} is {read[place]!r}, '
                f'and mmdet names it {order[place]!r}; give metainfo.classes in the order of the file']
    return []
