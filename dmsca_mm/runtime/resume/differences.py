"""Where two configs differ, key by key."""
from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SAME = {'LoadWholeImage': 'LoadImageFromFile', 'SyncBN': 'BN'}
"""What a run puts in place of a library's type, and what that stands for: SyncBN is BN where there is no GPU."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxdict = 12


@dataclass(frozen=True)
class Difference:
    """A key whose value is not what it was.

    Args:
        path: dotted, as for ``--cfg-options``.
        old: None where it was not set.
        new: None where it is not set.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f'{self.path} was {_short(self.old)} and is {_short(self.new)}'


def differences(old: Any, new: Any, path: str) -> Iterator[Difference]:
    """Compare two parts of configs.

    A dict of another ``type`` is one difference, and so is a list of another length or of plain values. A type is
    compared by its last name, so ``'mmdet.ResNet'`` is ``'ResNet'``.

    Args:
        old: as :func:`~dmsca_mm.checkpoint.stored_config.parse` gives it.
        new: the same.
        path: their dotted path.
    """
    if isinstance(old, dict) and isinstance(new, dict) and type_name(old) == type_name(new):
        for key in dict.fromkeys((*old, *new)):
            if key != 'type':
                yield from differences(old.get(key), new.get(key), f'{path}.{key}')
    elif _are_dicts(old) and _are_dicts(new) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f'{path}.{place}')
    elif old != new:
        yield Difference(path, old, new)


def type_name(node: Any) -> str:
    """The last name of a dict's ``type``, that of the library where a run has put another in its place.

    Args:
        node: any value; what has no type has an empty name.
    """
    name = str(node.get('type') or '') if isinstance(node, dict) else ''
    name = name.rsplit('.', 1)[-1]
    return _SAME.get(name, name)


def _are_dicts(node: Any) -> bool:
    return isinstance(node, list) and all(isinstance(item, dict) for item in node)


def _short(value: Any) -> str:
    if value is None:
        return 'not set'
    if _are_dicts(value):
        return f'[{", ".join(map(_short, value))}]'
    return type_name(value) or _SHORT.repr(value)
