"""Metrics that are stored as soon as they are computed, and reused by the next call."""
from __future__ import annotations

import json
from pathlib import Path

from ...checkpoint.writing import write_atomically
from ...errors import UsageError

Cell = tuple[str, int]
"""A corruption and a severity."""
Metrics = dict[str, float | None]
CLEAN: Cell = ('clean', 0)
"""The clean images."""


class Cells:
    """A folder with one JSON file for each cell, all of one model on the same data.

    Args:
        folder: path of the folder, which need not exist.
        identity: hashes that identify the model and the data, with the keys ``'checkpoint'`` and ``'config'``.
    """

    def __init__(self, folder: Path, identity: dict[str, str]) -> None:
        self.folder = folder
        self.identity = identity

    def read(self) -> dict[Cell, Metrics]:
        """Read all stored cells.

        Raises:
            UsageError: a file is of another model or other data, or is not a cell.
        """
        found = {}
        for path in sorted(self.folder.glob('*.json')):
            try:
                content = json.loads(path.read_text())
                corruption, severity = path.stem.rsplit('_', 1)
                found[corruption, int(severity)] = content['metrics']
            except (ValueError, KeyError, TypeError):
                raise UsageError(f'{path} is no cell of earlier results: remove it to run the test again') from None
            for what, value in self.identity.items():
                if content.get(what) != value:
                    raise UsageError(f'{self.folder} holds results of another {what}, by its SHA-256: choose another '
                                     '--out, or drop them with --overwrite')
        return found

    def write(self, cell: Cell, metrics: Metrics) -> None:
        """Store a cell with an atomic write.

        Raises:
            UsageError: the file cannot be written.
        """
        content = json.dumps(dict(self.identity, metrics=metrics), indent=1)
        write_atomically(content.encode(), self.folder / f'{cell[0]}_{cell[1]}.json', 'run the same command again')

    def drop(self) -> None:
        """Remove every cell."""
        for path in self.folder.glob('*.json'):
            path.unlink()
