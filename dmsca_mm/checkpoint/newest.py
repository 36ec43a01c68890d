"""The newest complete checkpoint of a run."""
from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from .reading import read


def newest(directory: Path, *others: Path) -> tuple[str | None, list[str]]:
    """Return the newest complete checkpoint of a run, and why newer ones were skipped.

    Args:
        directory: work directory of an earlier run; it may have been moved since.
        others: further folders in which that run saved.

    Raises:
        UsageError: there are checkpoints, but none is complete.
    """
    folders = directory, *others
    found = sorted((path for folder in folders for path in folder.glob('*.pth') if not path.name.startswith('best_')),
                   key=lambda path: path.stat().st_mtime_ns, reverse=True)
    pointer = directory / 'last_checkpoint'
    text = pointer.read_bytes().decode(errors='replace').strip() if pointer.is_file() else ''
    if text and '\0' not in text:  # after a power failure, a file can consist of these
        named = Path(text)
        if named.resolve().parent not in map(Path.resolve, folders):
            # The folders' own file first, as they may be copies of some that are still in use.
            named = next((path for path in found if path.name == named.name), named)
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
        raise UsageError(f'no complete checkpoint in {" or ".join(map(str, folders))}: {passed_over[0]}; start anew '
                         'with --overwrite')
    return None, []
