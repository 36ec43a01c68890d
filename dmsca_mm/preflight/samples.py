"""Open a sample of the images of a data set before a run."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import UsageError

SAMPLE = 64
"""Maximum number of files to open from a folder or list, spread evenly over it."""
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm')
"""Suffixes of image files, in lower case."""


def spread(files: Sequence[Any], number: int = SAMPLE) -> list[Any]:
    """Select entries at even intervals from a list.

    Args:
        files: a list in any order.
        number: maximum number of entries, at least 1.
    """
    return list(files[::max(1, -(-len(files) // number))])


def size_of(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of an image as OpenCV decodes it, from its header; None if it cannot be opened.

    Args:
        path: path of the file.
    """
    try:
        with suppress(Image.DecompressionBombError), Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
            return image.size[::-1] if turned else image.size
    except (OSError, SyntaxError, ValueError):
        pass
    return None


def is_tiff(begin: bytes) -> bool:
    """Return whether a file begins as a TIFF, which may have bands or numbers that OpenCV knows and PIL does not.

    Args:
        begin: its first four bytes, or more.
    """
    return begin[:4] in (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')


def check_images(paths: list[Path], loader: str, bad_ones_pass: bool = False) -> None:
    """Check that images can be opened, without decoding them.

    Args:
        paths: paths of files; those without the suffix of an image are skipped.
        loader: the key of the data loader that reads them.
        bad_ones_pass: whether the run skips images that cannot be opened.

    Raises:
        UsageError: an image cannot be opened and ``bad_ones_pass`` is False.
    """
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            with suppress(Image.DecompressionBombError):  # large but valid
                Image.open(path).close()
        except (OSError, SyntaxError, ValueError) as error:  # PIL raises the latter two for broken PNG chunks
            if not bad_ones_pass and not (isinstance(error, UnidentifiedImageError) and is_tiff(path.read_bytes())):
                otherwise = ', or train with --skip-bad-images' if loader.startswith('train') else ''
                size = f'{path.stat().st_size} bytes' if path.exists() else 'a link to a missing file'
                raise UsageError(f'{loader}: image {path} ({size}) cannot be opened ({type(error).__name__}): replace '
                                 f'it{otherwise}') from None
