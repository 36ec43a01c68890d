"""Check that every file listed by a data set exists."""
from __future__ import annotations

import os
import os.path as osp
from collections.abc import Sequence

from ..errors import UsageError


def check_present(paths: Sequence[str], what: str, listed_in: str, remedy: str, some_may_lack: bool) -> None:
    """Check that every file of a data set exists, reading each folder only once.

    Args:
        paths: paths of the files.
        what: what they are, such as ``'image'``, for the error.
        listed_in: what names them, for the error.
        remedy: what to check, for the error.
        some_may_lack: whether the run skips missing files, as long as others exist.

    Raises:
        UsageError: a file is missing; with ``some_may_lack``, all files are missing.
    """
    folders: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = osp.split(path)
        if folder not in folders:
            folders[folder] = _files(folder or '.')
        if name not in folders[folder] and not osp.exists(path):
            missing.append(path)
    if missing and (len(missing) == len(paths) or not some_may_lack):
        raise UsageError(f'{what} {missing[0]} does not exist, though {listed_in} lists it ({len(missing)} of '
                         f'{len(paths)} are missing): {remedy}')


def _files(folder: str) -> set[str]:
    """Return the names of the files in a folder, without broken symbolic links."""
    if not osp.isdir(folder):
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
