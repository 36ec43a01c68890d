"""Read the lists of a large JSON object one entry at a time.

Unlike ``ijson``, this reads all lists in one pass, accepts exactly what ``json`` accepts and keeps no paths of deeply
nested values in memory.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE
from pathlib import Path
from typing import Any, TextIO

CHARACTERS = 1 << 20
"""Minimum number of characters per read."""
_AFTER_A_VALUE = {*' \t\n\r,:]}'}


def read_lists(path: Path, reduce: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Read a JSON object whose values are mostly lists.

    Args:
        path: path of the file.
        reduce: called with the key of a list and one of its entries; returns what to keep of the entry.

    Returns:
        The object, with reduced lists and its other values unchanged.

    Raises:
        ValueError: the file is not a JSON object.
        RecursionError: a value is nested too deeply for ``json``.
    """
    found = {}
    with path.open() as file:
        reader = _Reader(file)
        if reader.peek() == '\ufeff':
            raise ValueError('it begins with a byte order mark (BOM), which json refuses')
        for _ in reader.items('{', '}'):
            key = reader.key()
            if reader.peek() == '[':
                found[key] = [reduce(key, reader.value()) for _ in reader.items('[', ']')]
            else:
                found[key] = reader.value()
        reader.take('')
    return found


class _Reader:
    """Position in a text, with a buffer that grows only to hold a single value.

    Args:
        file: the text.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at, self.before = file, '', 0, 0
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Double the buffer, so that long values are not reparsed often; return whether any text was left to read."""
        read = self.file.read(max(CHARACTERS, len(self.text) - self.at))
        self.text, self.before, self.at = self.text[self.at:] + read, self.before + self.at, 0
        return read != ''

    def peek(self) -> str:
        """Return the next character that is not whitespace without consuming it; '' at the end."""
        while True:
            self.at = WHITESPACE.match(self.text, self.at).end()
            if self.at < len(self.text) or not self.more():
                return self.text[self.at:self.at + 1]

    def take(self, *allowed: str) -> str:
        """Consume and return the next character, which must be one of ``allowed``."""
        found = self.peek()
        if found not in allowed:
            raise ValueError(f'{found!r} at character {self.before + self.at}, where '
                             f'{" or ".join(map(repr, allowed))} must be')
        self.at += len(found)
        return found

    def value(self) -> Any:
        """Consume and return the next value."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self.more():
                    raise ValueError(f'{error.msg} at character {self.before + error.pos}') from None
                continue
            if self.text[end:end + 1] in _AFTER_A_VALUE or not self.more():  # a number may continue
                self.at = end
                return value

    def key(self) -> str:
        """Consume a key and its colon; return the key."""
        if self.peek() != '"':
            self.take('"')  # raises the error
        key = self.value()
        self.take(':')
        return key

    def items(self, begin: str, end: str) -> Iterator[None]:
        """Yield once before each item between two brackets; the caller consumes the item."""
        self.take(begin)
        if self.peek() == end:
            self.take(end)
            return
        found = ','
        while found == ',':
            yield
            found = self.take(',', end)
