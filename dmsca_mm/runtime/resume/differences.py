"""Compare two configs key by key."""
from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SAME = {'LoadWholeImage': 'LoadImageFromFile', 'SyncBN': 'BN'}
"""Types that a run swaps, with the type they count as: without a GPU, BN replaces SyncBN."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxdict = 12


@dataclass(frozen=True)
class Difference:
    """A key whose value has changed.

    Args:
        path: dotted, as for ``--cfg-options``.
        old: None if it was not set.
        new: None if it is not set.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f'{self.path} was {_short(self.old)} and is {_short(self.new)}'


def differences(old: Any, new: Any, path: str) -> Iterator[Difference]:
    """Compare two parts of configs.

    Dicts of different ``type`` are one difference. So are lists of different lengths or of plain values. Types are
    compared by their last name, so ``'mmdet.ResNet'`` equals ``'ResNet'``.

    Args:
        old: as returned by :func:`~dmsca_mm.checkpoint.stored_config.parse`.
        new: likewise.
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
    """Return the last name of a dict's ``type``, or the library's type if a run replaced it.

    Args:
        node: any value; without a type the name is empty.
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
