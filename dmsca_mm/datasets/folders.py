"""Folders of data sets, which are complete or absent and are identified by a manifest."""
from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import UsageError

MANIFEST = 'digits.json'
"""File that records the sources and parameters of a data set."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of a data set. Everything else is fixed, so that results are comparable.

    Args:
        training: number of training images.
        validation: number of validation images.
        size: side of the square images in pixels, a multiple of 16.
        seed: at least 0; the same seed gives the same files, byte for byte.
    """

    LEAST: ClassVar[dict[str, int]]
    """Minimum of each parameter."""

    training: int
    validation: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in self.LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f'digits: {name} is {getattr(self, name)}, must be at least {least}')
        if self.size % 16:
            raise UsageError(f'digits: size is {self.size}, must be a multiple of 16')


def make(root: Path, manifest: str, write: Callable[[Path], None], missing: Callable[[Path], str], overwrite: bool
         ) -> bool:
    """Make a data set unless it exists.

    It is written next to its folder and moved there when complete, so an interrupted run leaves no incomplete data set.

    Args:
        root: the folder.
        manifest: sources and parameters of the data set, which determine its files.
        write: writes the files into a folder.
        missing: returns what a folder lacks, or ``''`` if it is complete.
        overwrite: replace another digits data set.

    Returns:
        False if the same data set exists already.

    Raises:
        UsageError: the folder holds anything else, or the data set cannot be written.
    """
    root = root.resolve()
    partial = root.with_name(f'.{root.name}.{secrets.token_hex(4)}')  # containers may have equal process numbers
    try:
        if _is_made(root, manifest, missing, overwrite):
            return False
        partial.mkdir(parents=True)
        write(partial)
        (partial / MANIFEST).write_text(manifest)
        if _is_made(root, manifest, missing, overwrite):  # by another process, meanwhile
            return False
        if (root / MANIFEST).exists():
            shutil.rmtree(root)
        partial.rename(root)
    except OSError as error:
        raise UsageError(f'cannot write the digits data set to {root}: {error.strerror or error}') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def _is_made(root: Path, manifest: str, missing: Callable[[Path], str], overwrite: bool) -> bool:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not (root / MANIFEST).is_file():
        raise UsageError(f'{root} exists and is not a digits data set: move it away or choose another folder')
    if overwrite:
        return False
    if (root / MANIFEST).read_text() != manifest:
        raise UsageError(f'{root} holds digits made with other parameters: pass --overwrite or choose another folder')
    if lack := missing(root):
        raise UsageError(f'{root} is incomplete, {lack}: pass --overwrite')
    return True
