"""A few images and label maps of a data set, opened before a run."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import UsageError

SAMPLE = 16
"""Files of a folder or list that are opened."""
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def check_images(paths: list[Path], loader: str, listed_in: Path | None = None, bad_ones_pass: bool = False) -> None:
    """Open images; decode none.

    Args:
        paths: of files; those that are no images by their name are passed over.
        loader: the key of the data loader that reads them.
        listed_in: the annotation file that names them.
        bad_ones_pass: whether one that cannot be opened is left to the run, which leaves it out.

    Raises:
        UsageError: one is missing or cannot be opened.
    """
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            continue
        if listed_in is not None and not path.is_file():
            raise UsageError(f'{loader}: image {path} does not exist, though {listed_in} lists it: '
                             'check data_prefix in the config')
        try:
            with suppress(Image.DecompressionBombError):  # large, and the training may well want it
                Image.open(path).close()
        except (OSError, SyntaxError, ValueError) as error:  # PIL raises the latter two for broken PNG chunks
            if not bad_ones_pass:
                raise UsageError(f'{loader}: image {path} ({path.stat().st_size} bytes) cannot be opened '
                                 f'({type(error).__name__}): replace it, or train with --skip-bad-images') from None


def labels_of(paths: list[Path], load: Callable[[Path], np.ndarray]) -> dict[int, Path]:
    """The labels in label maps, each with the first file that holds it.

    Args:
        paths: of label maps; those that cannot be loaded are passed over.
        load: reads one.
    """
    found: dict[int, Path] = {}
    for path in paths:
        try:
            labels = np.unique(load(path))
        except (OSError, SyntaxError, ValueError):
            continue
        for label in labels:
            found.setdefault(int(label), path)
    return found
