"""Metrics that are stored as soon as they are there, and found again by the next call."""
from __future__ import annotations

import json
from pathlib import Path

from ...checkpoint.writing import write_whole
from ...errors import UsageError

Cell = tuple[str, int]
"""A corruption and a severity."""
Metrics = dict[str, float | None]
CLEAN: Cell = ('clean', 0)
"""The images as they are."""


class Cells:
    """A folder with a JSON file for each cell, all of them of one model on the same data.

    Args:
        folder: need not exist.
        identity: what distinguishes models and data: for ``'checkpoint'`` and ``'config'`` a hash.
    """

    def __init__(self, folder: Path, identity: dict[str, str]) -> None:
        self.folder = folder
        self.identity = identity

    def read(self) -> dict[Cell, Metrics]:
        """All cells that are there.

        Raises:
            UsageError: a file of another model or data, or one that is none of these.
        """
        found = {}
        for path in sorted(self.folder.glob('*.json')):
            try:
                content = json.loads(path.read_text())
                corruption, severity = path.stem.rsplit('_', 1)
                found[corruption, int(severity)] = content['metrics']
            except (ValueError, KeyError, TypeError):
                raise UsageError(f'{path} is no cell of earlier results: remove it, it is then made anew') from None
            for what, value in self.identity.items():
                if content.get(what) != value:
                    raise UsageError(f'{self.folder} holds results of another {what}, by its SHA-256: choose another '
                                     '--out, or drop them with --overwrite')
        return found

    def write(self, cell: Cell, metrics: Metrics) -> None:
        """Store a cell, whole or not at all.

        Raises:
            UsageError: it cannot be written.
        """
        content = json.dumps(dict(self.identity, metrics=metrics), indent=1)
        write_whole(content.encode(), self.folder / f'{cell[0]}_{cell[1]}.json', 'give the same command again')

    def drop(self) -> None:
        """Remove every cell."""
        for path in self.folder.glob('*.json'):
            path.unlink()
