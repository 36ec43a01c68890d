"""The newest complete checkpoint of a work directory."""
from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from .reading import read


def newest(directory: Path) -> tuple[str | None, list[str]]:
    """Return the newest complete checkpoint of a work directory, and why newer ones were skipped.

    Args:
        directory: work directory of an earlier run; it may have been moved since.

    Raises:
        UsageError: there are checkpoints, but none is complete.
    """
    found = sorted((path for path in directory.glob('*.pth') if not path.name.startswith('best_')),
                   key=lambda path: path.stat().st_mtime_ns, reverse=True)
    pointer = directory / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text().strip())
        inside = directory / named.name  # first, as the directory may be a copy of one that is still in use
        named = inside if inside.is_file() else named
        if named.is_file():
            found = [named, *(path for path in found if path.resolve() != named.resolve())]
    passed_over = []
    for path in found:
        try:
            read(path)
        except UsageError as error:
            passed_over.append(str(error))
        else:
            return str(path), passed_over
    if passed_over:
        raise UsageError(f'no complete checkpoint in {directory}: {passed_over[0]}; start anew with --overwrite')
    return None, []
