"""Built-in data set for classification: one digit on a piece of a photograph, with one folder for each class."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from .composing import CONTRAST, HELD_OUT_WRITERS, MAX_ANGLE, PHOTOGRAPHS, compose, material
from .folders import Parameters, make

CLASSES = 10
SCALES = (0.7, 0.95)  # as in digits.py: 45 to 61 pixels of 64; the images for detection have 43 to 67 of 160


@dataclass(frozen=True)
class DigitClassesParameters(Parameters):
    """Parameters of the data set, see :class:`~dmsca_mm.datasets.folders.Parameters`; each class has an image."""

    LEAST: ClassVar[dict[str, int]] = dict(training=CLASSES, validation=CLASSES, size=32, seed=0)

    training: int = 24000
    validation: int = 2000
    size: int = 64


def make_digit_classes(root: str | Path, parameters: DigitClassesParameters | None = None, overwrite: bool = False
                       ) -> bool:
    """Write the data set to `root`; return False if the same one exists already.

    Errors: as :func:`dmsca_mm.datasets.digits.make_digits`.
    """
    parameters = parameters or DigitClassesParameters()
    return make(Path(root), _manifest(parameters), partial(_write, parameters=parameters),
                partial(_missing, parameters=parameters), overwrite)


def samples(split: str, parameters: DigitClassesParameters) -> Iterator[tuple[np.ndarray, int]]:
    """Generate the images of `split`, (S, S, 3) uint8 BGR, and their digits, which cycle from 0 to 9.

    The splits share no writer. Both use the training photographs of the detection data set, so that no classifier
    has seen the photographs that it holds out.
    """
    (photographs, *_), (_, glyphs, digits) = material('training'), material(split)
    for index in range(getattr(parameters, split)):
        # The last number gives another random stream than for the detection images.
        rng = np.random.default_rng([parameters.seed, list(PHOTOGRAPHS).index(split), index, CLASSES])
        among = digits == index % CLASSES
        sample = compose(rng, photographs, glyphs[among], digits[among], 1, parameters.size, SCALES)
        yield sample.image, index % CLASSES


def _write(root: Path, parameters: DigitClassesParameters) -> None:
    for split in PHOTOGRAPHS:
        for digit in range(CLASSES):
            (root / split / str(digit)).mkdir(parents=True)
        for index, (image, digit) in enumerate(samples(split, parameters)):
            # On a full disk, imwrite only returns False; write_bytes raises an error.
            (root / split / str(digit) / f'{index:06d}.jpg').write_bytes(cv2.imencode('.jpg', image)[1])


def _missing(root: Path, parameters: DigitClassesParameters) -> str:
    for split in PHOTOGRAPHS:
        wanted, found = getattr(parameters, split), len(list((root / split).glob('[0-9]/*.jpg')))
        if found != wanted:
            return f'{split} holds {found} images of {wanted}'
    return ''


def _manifest(parameters: DigitClassesParameters) -> str:
    content = dict(asdict(parameters), task='classification', photographs=PHOTOGRAPHS['training'],
                   held_out_writers=HELD_OUT_WRITERS, scales=SCALES, max_angle=MAX_ANGLE, contrast=CONTRAST)
    return json.dumps(content, indent=2) + '\n'
