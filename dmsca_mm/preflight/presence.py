"""Whether every file that a data set lists exists."""
from __future__ import annotations

import os
import os.path as osp
from collections.abc import Sequence

from ..errors import UsageError


def check_present(paths: Sequence[str], what: str, listed_in: str, remedy: str, some_may_lack: bool) -> None:
    """Look for every file of a data set, by reading each of their folders once.

    Args:
        paths: of the files.
        what: what they are, such as ``'image'``, for the error.
        listed_in: what names them, for the error.
        remedy: what to check, for the error.
        some_may_lack: whether the run leaves out those that are missing, as long as there are others.

    Raises:
        UsageError: some are missing, or all where some may be.
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
    """The names of a folder's files; of a link whose target is missing there is none."""
    if not osp.isdir(folder):
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
