"""Built-in data set of digits on photographs, with COCO boxes and ADE-style label maps."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from .composing import CONTRAST, HELD_OUT_WRITERS, MAX_ANGLE, PHOTOGRAPHS, Sample, compose, material
from .folders import Parameters, make

MAX_DIGITS = 6  # 1 to this many are drawn for an image; those that do not fit are omitted
SCALES = (0.27, 0.42)  # range of the side of a digit's 8x8 field, as a share of the image side


@dataclass(frozen=True)
class DigitsParameters(Parameters):
    """Parameters of the data set, see :class:`~dmsca_mm.datasets.folders.Parameters`; ``size`` is at least 96."""

    LEAST: ClassVar[dict[str, int]] = dict(training=1, validation=1, size=96, seed=0)

    training: int = 2000
    validation: int = 300
    size: int = 160


def make_digits(root: str | Path, parameters: DigitsParameters | None = None, overwrite: bool = False) -> bool:
    """Write the data set to `root`; return False if the same one exists already.

    It is written next to `root` and moved there when complete, so an interrupted run leaves no incomplete data set.
    Errors: UsageError if `root` holds anything else (`overwrite` replaces another digits data set), a package is
    missing or the data set cannot be written.
    """
    parameters = parameters or DigitsParameters()
    return make(Path(root), _manifest(parameters), partial(_write, parameters=parameters),
                partial(_missing, parameters=parameters), overwrite)


def samples(split: str, parameters: DigitsParameters) -> Iterator[Sample]:
    """Compose the images of `split`, 'training' or 'validation', one after another."""
    photographs, glyphs, digits = material(split)
    for index in range(getattr(parameters, split)):
        # One generator for each image, so that its content does not depend on the images before it.
        rng = np.random.default_rng([parameters.seed, list(PHOTOGRAPHS).index(split), index])
        wanted = rng.integers(1, MAX_DIGITS + 1)
        yield compose(rng, photographs, glyphs, digits, wanted, parameters.size, SCALES)


def _missing(root: Path, parameters: DigitsParameters) -> str:
    for split in PHOTOGRAPHS:
        wanted = getattr(parameters, split)
        found = [len(list((root / part / split).glob('*.*'))) for part in ('images', 'annotations')]
        if found != [wanted, wanted] or not (root / f'annotations/instances_{split}.json').is_file():
            return (f'{split} holds {found[0]} images and {found[1]} label maps of {wanted}, or its boxes are missing')
    return ''


def _write(root: Path, parameters: DigitsParameters) -> None:
    for split in PHOTOGRAPHS:
        images, maps = root / 'images' / split, root / 'annotations' / split
        images.mkdir(parents=True)
        maps.mkdir(parents=True)
        made = []
        for index, sample in enumerate(samples(split, parameters)):
            # On a full disk, imwrite only returns False; write_bytes raises an error.
            (images / f'{index:06d}.jpg').write_bytes(cv2.imencode('.jpg', sample.image)[1])
            (maps / f'{index:06d}.png').write_bytes(cv2.imencode('.png', sample.labels)[1])
            made.append(sample.boxes)
        (root / 'annotations' / f'instances_{split}.json').write_text(json.dumps(_coco(made, parameters.size)))


def _manifest(parameters: DigitsParameters) -> str:
    content = dict(asdict(parameters), photographs=PHOTOGRAPHS, held_out_writers=HELD_OUT_WRITERS, scales=SCALES,
                   max_digits=MAX_DIGITS, max_angle=MAX_ANGLE, contrast=CONTRAST)
    return json.dumps(content, indent=2) + '\n'


def _coco(made: list[list[dict]], size: int) -> dict:
    """Return the boxes of all images in COCO's instances format (https://cocodataset.org/#format-data)."""
    images = [dict(id=index, file_name=f'{index:06d}.jpg', height=size, width=size) for index in range(len(made))]
    boxes = [dict(box, image_id=index) for index, boxes in enumerate(made) for box in boxes]
    return dict(
        images=images,
        annotations=[dict(box, id=index) for index, box in enumerate(boxes, start=1)],
        categories=[dict(id=digit + 1, name=str(digit)) for digit in range(10)])
