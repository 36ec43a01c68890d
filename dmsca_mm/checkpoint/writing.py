"""Files that are complete or absent: an atomic write through a temporary file, fsync and rename."""
from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from mmengine.fileio import LocalBackend

from ..errors import UsageError

PART = '.part'
"""Suffix of a file that is still being written."""
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
"""System errors caused by a lack of space."""
INTERRUPTED = 'interrupted.pth'
"""The checkpoint of an interrupted run. The next regular checkpoint replaces it."""


def write_atomically(content: bytes | memoryview, path: str | Path, remedy: str = 'continue with --resume') -> None:
    """Write a file atomically: at any time, even after a kill, it holds either the complete old or new content.

    Args:
        content: bytes of the file.
        path: a local file; a missing folder is created.
        remedy: what the user should do once there is space, for the error message.

    Raises:
        UsageError: the file cannot be written, for example on a full disk; the old content stays.
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
    """mmengine's backend for local files, with atomic writes, for example of checkpoints."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file atomically."""
        write_atomically(obj, filepath)
