"""Boxes and classes drawn on an image, the same way for annotations and predictions.

Beyond the visualizers of mmdet and mmseg: small images are enlarged, and no label hides another.
"""
from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

SIDE = 480
"""Pixels of the longer side of a drawn picture: small images are enlarged, so that their labels can be read."""


@dataclass(frozen=True)
class Shown:
    """What was found in an image, or what is annotated, drawn on it.

    Attributes:
        picture: the image with it.
        legend: names and colours of the classes in it; empty where the picture names them.
    """

    picture: Image.Image
    legend: list[tuple[str, Colour]] = field(default_factory=list)


def colour(label: int, palette: Sequence[Sequence[int]] = ()) -> Colour:
    """The colour of a class: that of the data set's palette, else one far from its neighbours'.

    Args:
        label: of the class, from 0.
        palette: of RGB colours, 0 to 255; it may be too short.
    """
    if label < len(palette):
        red, green, blue = (int(value) for value in palette[label])
        return red, green, blue
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618 % 1, 0.8, 0.95)  # the golden ratio: no two alike
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_boxes(image: Image.Image, boxes: np.ndarray, labels: Sequence[int], texts: Sequence[str]) -> Image.Image:
    """Boxes on an image, each with its text; no text hides another.

    Args:
        image: RGB.
        boxes: (N, 4), left, top, right and bottom in pixels of the image; the first is the most important.
        labels: N classes, for the colours.
        texts: N names.
    """
    picture, scale = _scaled(image)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    found = [([float(value) * scale for value in box], colour(label)) for box, label in zip(boxes, labels, strict=True)]
    for (left, top, right, bottom), paint in reversed(found):
        draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=paint, width=3)
    taken: list[tuple[float, float, float, float]] = []
    for ((left, top, _, _), paint), text in zip(found, texts, strict=True):
        width, height = (side + 6 for side in draw.textbbox((0, 0), text, font=font)[2:])
        x = min(max(left, 0), max(picture.width - width, 0))
        y = top - height if top > height else max(top, 0)  # above the box where there is room
        while below := [other[3] for other in taken if _meet((x, y, x + width, y + height), other)]:
            y = max(below) + 1
        taken.append((x, y, x + width, y + height))
        draw.rectangle(taken[-1], fill=paint)
        draw.text((x + 3, y + 2), text, font=font, fill='black' if _is_light(paint) else 'white')
    return picture


def draw_classes(image: Image.Image, classes: np.ndarray, palette: Sequence[Sequence[int]] = (),
                 ignored: Sequence[int] = ()) -> Image.Image:
    """The class of each pixel, as a colour over the image.

    Args:
        image: RGB.
        classes: (H, W) labels.
        palette: see :func:`colour`.
        ignored: labels of no class; their pixels stay as they are.
    """
    pixels = np.asarray(image).astype(np.float32)
    for label in np.setdiff1d(classes, ignored):
        chosen = classes == label
        pixels[chosen] = 0.3 * pixels[chosen] + 0.7 * np.array(colour(int(label), palette))
    return _scaled(Image.fromarray(pixels.round().astype(np.uint8)))[0]


def _scaled(image: Image.Image) -> tuple[Image.Image, float]:
    scale = SIDE / max(image.size)
    size = tuple(max(round(side * scale), 1) for side in image.size)
    return image.convert('RGB').resize(size, Image.Resampling.BICUBIC), scale


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _is_light(paint: Colour) -> bool:
    return 0.3 * paint[0] + 0.59 * paint[1] + 0.11 * paint[2] > 140
