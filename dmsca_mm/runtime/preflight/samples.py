"""A few images and label maps of a data set, opened before a run."""
from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import UsageError
from ...insight.predictions import IGNORED

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


def check_label_maps(paths: list[Path], classes: int, reduce_zero_label: bool, loader: str) -> None:
    """Look for labels beyond the classes: on a GPU they end a run without a word of where.

    Args:
        paths: of label maps; those that are no images by their name, or cannot be decoded, are passed over.
        classes: their number.
        reduce_zero_label: whether label 0 is ignored and the others count from 1.
        loader: the key of the data loader that reads them.

    Raises:
        UsageError: one holds a label beyond.
    """
    highest = classes if reduce_zero_label else classes - 1
    for path in paths:
        try:
            with Image.open(path) as label_map:
                labels = np.unique(np.asarray(label_map))
        except (OSError, SyntaxError, ValueError):
            continue
        beyond = labels[(labels > highest) & (labels != IGNORED)]
        if len(beyond):
            raise UsageError(f'{loader}: label map {path} holds label {beyond[0]}, and {classes} classes with '
                             f'reduce_zero_label={reduce_zero_label} go to {highest}: check metainfo.classes and '
                             'reduce_zero_label')
