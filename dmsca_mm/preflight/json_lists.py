"""Lists of a large JSON object, one entry at a time.

Beyond ``ijson``, which reads lists too: one pass for all of them, exactly what ``json`` takes, and no memory for deep
nesting, of which ``ijson`` keeps every path.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE
from pathlib import Path
from typing import Any, TextIO

CHARACTERS = 1 << 20
"""What is read at a time, at least."""
_AFTER_A_VALUE = {*' \t\n\r,:]}'}


def read_lists(path: Path, reduce: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Read a JSON object whose values are mostly lists.

    Args:
        path: of the file.
        reduce: called with the key of a list and one of its entries; gives what is kept of it.

    Returns:
        The object: its lists of what is kept, its other values.

    Raises:
        ValueError: it is no JSON object.
        RecursionError: it is nested too deeply for ``json``.
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
    """A position in a text, of which no more is held than a value takes.

    Args:
        file: the text.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at, self.before = file, '', 0, 0
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Read on; whether there was any more. The length doubles, so that a long value is not begun often."""
        read = self.file.read(max(CHARACTERS, len(self.text) - self.at))
        self.text, self.before, self.at = self.text[self.at:] + read, self.before + self.at, 0
        return read != ''

    def peek(self) -> str:
        """The next character that is no white space, '' at the end."""
        while True:
            self.at = WHITESPACE.match(self.text, self.at).end()
            if self.at < len(self.text) or not self.more():
                return self.text[self.at:self.at + 1]

    def take(self, *allowed: str) -> str:
        """Pass over the next character, which must be one of these."""
        found = self.peek()
        if found not in allowed:
            raise ValueError(f'{found!r} at character {self.before + self.at}, where '
                             f'{" or ".join(map(repr, allowed))} must be')
        self.at += len(found)
        return found

    def value(self) -> Any:
        """Pass over the next value."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self.more():
                    raise ValueError(f'{error.msg} at character {self.before + error.pos}') from None
                continue
            if self.text[end:end + 1] in _AFTER_A_VALUE or not self.more():  # a number may go on
                self.at = end
                return value

    def key(self) -> str:
        """Pass over a key and its colon."""
        if self.peek() != '"':
            self.take('"')  # refuses what is there
        key = self.value()
        self.take(':')
        return key

    def items(self, begin: str, end: str) -> Iterator[None]:
        """Come to each item between two brackets in turn; the caller passes over it."""
        self.take(begin)
        if self.peek() == end:
            self.take(end)
            return
        found = ','
        while found == ',':
            yield
            found = self.take(',', end)
