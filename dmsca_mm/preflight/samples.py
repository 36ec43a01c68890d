"""A few images of a data set, opened before a run."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from ..errors import UsageError

SAMPLE = 64
"""Files of a folder or list that are opened, spread over it."""
_TURNED = (5, 6, 7, 8)
"""Values of EXIF's orientation for which width and height change places."""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm')
"""How the names of image files end, in either case."""


def spread(files: Sequence[Any], number: int = SAMPLE) -> list[Any]:
    """Some of a list, evenly from its first to its last part.

    Args:
        files: a list in any order.
        number: at most so many, at least 1.
    """
    return list(files[::max(1, -(-len(files) // number))])


def size_of(path: str | Path) -> tuple[int, int] | None:
    """Width and height of an image as OpenCV decodes it, from its header; None where it cannot be opened.

    Args:
        path: of the file.
    """
    try:
        with suppress(Image.DecompressionBombError), Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
            return image.size[::-1] if turned else image.size
    except (OSError, SyntaxError, ValueError):
        pass
    return None


def check_images(paths: list[Path], loader: str, bad_ones_pass: bool = False) -> None:
    """Open images; decode none.

    Args:
        paths: of files; those that are no images by their name are passed over.
        loader: the key of the data loader that reads them.
        bad_ones_pass: whether one that cannot be opened is left to the run, which leaves it out.

    Raises:
        UsageError: one cannot be opened.
    """
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            with suppress(Image.DecompressionBombError):  # large, and the training may well want it
                Image.open(path).close()
        except (OSError, SyntaxError, ValueError) as error:  # PIL raises the latter two for broken PNG chunks
            if not bad_ones_pass:
                otherwise = ', or train with --skip-bad-images' if loader.startswith('train') else ''
                size = f'{path.stat().st_size} bytes' if path.exists() else 'a link to a missing file'
                raise UsageError(f'{loader}: image {path} ({size}) cannot be opened ({type(error).__name__}): replace '
                                 f'it{otherwise}') from None
