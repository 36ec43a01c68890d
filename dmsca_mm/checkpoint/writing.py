"""Files that are complete or absent: an atomic write through a temporary file, fsync and rename."""
from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from mmengine.fileio import LocalBackend

from ..errors import UsageError

PART = '.part'
"""What the name of a file that is still being written ends with."""
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
"""Refusals of the system for want of room."""
INTERRUPTED = 'interrupted.pth'
"""The checkpoint of an interrupted run. The next regular checkpoint replaces it."""


def write_whole(content: bytes | memoryview, path: str | Path, remedy: str = 'go on with --resume') -> None:
    """Write a file so that at any moment its name stands for the old content or for the new one, also after a kill.

    Args:
        content: of the file.
        path: a local file; its folder is made where it is missing.
        remedy: what a user does when there is room again, for the error.

    Raises:
        UsageError: it cannot be written, as on a full disk; the old content stays.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        old = 'its earlier content is' if path.exists() else 'earlier files are'
        first = 'make room' if error.errno in FULL else 'mend this'
        raise UsageError(f'{path} could not be written ({len(content) / 1e6:.1f} MB: {error.strerror}); {old} '
                         f'unchanged: {first}, then {remedy}') from error


class WholeFiles(LocalBackend):
    """mmengine's access to local files; what it puts there, such as checkpoints, is written atomically."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file atomically."""
        write_whole(obj, filepath)
