"""Compose images: real handwritten digits on real photographs, at random places, in random readable colours.

The digits are scikit-learn's bundled `load_digits` (UCI, 8x8 grey), the photographs those that ship with
scikit-image; nothing is downloaded. Training and validation share neither a writer nor a photograph.
"""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..errors import UsageError

# The samples of load_digits are ordered by writer; a new writer starts at each of these indices. Source: Inria's
# scikit-learn course, https://inria.github.io/scikit-learn-mooc/python_scripts/cross_validation_grouping.html
WRITER_STARTS = (0, 130, 256, 386, 516, 646, 776, 915, 1029, 1157, 1287, 1415, 1545, 1667)
HELD_OUT_WRITERS = 3

# Photographs in the scikit-image wheel, without drawings and without those that show digits or letters (page, text,
# clock). No scene is in both splits.
PHOTOGRAPHS = {
    'training': ('astronaut', 'coffee', 'rocket', 'hubble_deep_field', 'retina', 'camera', 'brick', 'grass', 'moon'),
    'validation': ('chelsea', 'immunohistochemistry', 'coins', 'gravel'),
}
BACKGROUND_LABEL = 1  # ADE20K's convention: 0 is unlabelled, so the first class is 1 and digit d is 2 + d
GLYPH = 8  # side of a digit in load_digits, in pixels
MAX_ANGLE = 15  # degrees, in either direction
# Minimum luminance difference, of 255, of the ink to the 10th and 90th percentiles under the digit's box, so that a
# person can read every digit.
CONTRAST = 60


class Sample(NamedTuple):
    """One composed image: (S, S, 3) uint8 BGR, its labels (S, S) uint8 in ADE's convention, and its boxes, COCO's
    `bbox` [x, y, w, h] and `area` in pixels, and `category_id`, 1 + digit.
    """

    image: np.ndarray
    labels: np.ndarray
    boxes: list[dict]


def material(split: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return a split's photographs, each (H, W, 3) uint8 BGR, its digits, (N, 8, 8) float32 in [0, 1], and its labels.

    Args:
        split: a key of ``PHOTOGRAPHS``.

    Raises:
        UsageError: a required package is missing.
    """
    try:
        from skimage import data
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UsageError('the digits come with scikit-learn and the photographs with scikit-image, and '
                         f'{error.name} is missing: pip install scikit-learn scikit-image') from error
    images = [getattr(data, name)() for name in PHOTOGRAPHS[split]]
    photographs = [np.stack([image] * 3, 2) if image.ndim == 2 else image[..., ::-1] for image in images]
    border = WRITER_STARTS[-HELD_OUT_WRITERS]
    part = slice(None, border) if split == 'training' else slice(border, None)
    every = load_digits()
    return photographs, (every.images[part] / 16).astype(np.float32), every.target[part]


def compose(rng: np.random.Generator, photographs: list[np.ndarray], glyphs: np.ndarray, digits: np.ndarray,
            wanted: int, size: int, scales: tuple[float, float]) -> Sample:
    """Compose an image with up to ``wanted`` digits, as many as fit, at least one.

    Args:
        rng: source of all random choices.
        photographs, glyphs, digits: from :func:`material`, or a selection of them.
        wanted: maximum number of digits, at least 1.
        size: side of the image in pixels.
        scales: minimum and maximum side of a digit's 8x8 field, as a share of the image's side.
    """
    while True:  # if no ink is readable anywhere on the crop, try another one
        labels = np.full((size, size), BACKGROUND_LABEL, np.uint8)
        sample = Sample(_background(rng, photographs, size), labels, [])
        for chosen in rng.integers(len(glyphs), size=wanted):
            alpha = _alpha(rng, glyphs[chosen], size * rng.uniform(*scales))
            for _ in range(20):
                if _draw(rng, sample, alpha, int(digits[chosen])):
                    break
        if sample.boxes:
            return sample


def _background(rng: np.random.Generator, photographs: list[np.ndarray], size: int) -> np.ndarray:
    photograph = photographs[rng.integers(len(photographs))]
    height, width = photograph.shape[:2]
    largest = min(height, width, 4 * size)
    side = int(rng.integers(min(size, largest), largest + 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = photograph[top:top + side, left:left + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=cv2.INTER_AREA)


def _alpha(rng: np.random.Generator, glyph: np.ndarray, side: float) -> np.ndarray:
    """Return the digit, enlarged, rotated and cropped to its strokes: opacity (h, w) in [0, 1]; strokes are >= 0.5."""
    canvas = int(np.ceil(side * 1.5))
    turn = cv2.getRotationMatrix2D(((GLYPH - 1) / 2, (GLYPH - 1) / 2),
                                   rng.uniform(-MAX_ANGLE, MAX_ANGLE), side / GLYPH)
    turn[:, 2] += (canvas - GLYPH) / 2
    ink = cv2.warpAffine(glyph, turn, (canvas, canvas), flags=cv2.INTER_CUBIC)
    alpha = np.clip((ink - 0.4) * 5 + 0.5, 0, 1)
    rows, columns = np.flatnonzero((alpha >= 0.5).any(1)), np.flatnonzero((alpha >= 0.5).any(0))
    return alpha[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def _draw(rng: np.random.Generator, sample: Sample, alpha: np.ndarray, digit: int) -> bool:
    """Draw a digit at a random place of `sample`; return False if it is too large, overlaps or would be unreadable."""
    height, width = alpha.shape
    size = len(sample.labels)
    if max(height, width) > size:
        return False
    top, left = int(rng.integers(size - height + 1)), int(rng.integers(size - width + 1))
    apart = all(left + width + 2 <= x or x + w + 2 <= left or top + height + 2 <= y or y + h + 2 <= top
                for x, y, w, h in (box['bbox'] for box in sample.boxes))
    place = slice(top, top + height), slice(left, left + width)
    ink = _ink(rng, sample.image[place]) if apart else None
    if ink is None:
        return False
    blend = alpha[..., None]
    sample.image[place] = np.rint(sample.image[place] * (1 - blend) + ink * blend).astype(np.uint8)
    sample.labels[place][alpha >= 0.5] = BACKGROUND_LABEL + 1 + digit
    sample.boxes.append(dict(
        bbox=[left, top, width, height], area=int((alpha >= 0.5).sum()), category_id=digit + 1, iscrowd=0))
    return True


def _ink(rng: np.random.Generator, local: np.ndarray) -> np.ndarray | None:
    """Return a random colour, BGR, that stands out from `local`, (h, w, 3) BGR, or None if 20 draws gave none."""
    luminance = np.array([0.114, 0.587, 0.299])  # ITU-R BT.601, in BGR order
    dark, light = np.percentile(local @ luminance, (10, 90))
    colours = rng.uniform(0, 255, (20, 3))
    values = colours @ luminance
    readable = np.flatnonzero((values < dark - CONTRAST) | (values > light + CONTRAST))
    return colours[readable[0]] if readable.size else None
