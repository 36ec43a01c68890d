"""The part of an image that a model sees, and where its test pipeline puts it in the model's input."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError

RESIZES = ('Resize', 'ResizeEdge', 'ResizeShortestEdge', 'ResizeToMultiple', 'FixScaleResize')
"""Transforms that scale the image and nothing else."""


class View(NamedTuple):
    """The part of an image that a model sees. Boxes are ((top, left), (bottom, right)), in pixels.

    Attributes:
        size: height and width of the image, in pixels.
        seen: box of the part in the image.
        inside: box of the part in the model's input.
    """

    size: tuple[int, int]
    seen: np.ndarray
    inside: np.ndarray


def trace(transforms: Sequence[Callable[[dict[str, Any]], dict[str, Any]]], data: dict[str, Any]) -> View:
    """Run a test pipeline on an image, and return which part of the image is where in the result.

    Args:
        transforms: transforms of the pipeline.
        data: input of the first one.

    Raises:
        ImageError: the image cannot be read.
        UsageError: a transform changes the image's size in an unknown way, or no transform loads it.
    """
    view, before = None, np.zeros(2)
    for transform in transforms:
        data = transform(data)
        if 'img' not in data:  # packed
            continue
        after = np.array(np.shape(data['img'])[:2])
        if view is None:
            whole = np.stack([np.zeros(2), after])
            view = View((int(after[0]), int(after[1])), whole, whole)
        else:
            view = _transformed(view, transform, before, after, data)
        before = after
    if view is None:
        raise UsageError('the test pipeline loads no image, so no map can be drawn on it')
    return view


def _transformed(view: View, transform: Any, before: np.ndarray, after: np.ndarray, data: dict[str, Any]) -> View:
    name = type(transform).__name__
    if name in RESIZES:
        return view._replace(inside=view.inside * (after / before))
    if name == 'CenterCrop':
        return _centre(view, np.maximum(before, after), after)  # it may pad before
    if name == 'EfficientNetCenterCrop':
        side = min(before) * transform.crop_size / (transform.crop_size + transform.crop_padding)
        cropped = _centre(view, before, np.full(2, side))
        return cropped._replace(inside=cropped.inside * (after / side))
    if name == 'RandomCenterCropPad':  # in test mode it only pads, at each side
        return view._replace(inside=view.inside + data['border'][[0, 2]])
    if name != 'Pad' and (before != after).any():  # Pad adds pixels at the right and bottom
        raise UsageError(f'{name} of the test pipeline changes the image from {before[1]}×{before[0]} to '
                         f'{after[1]}×{after[0]} pixels in a way unknown here, so a map cannot be put on the image: '
                         'use Resize, Pad or CenterCrop')
    return view


def _centre(view: View, whole: np.ndarray, side: np.ndarray) -> View:
    """Crop the centre of an input of size ``whole`` to the size ``side``."""
    start = np.rint((whole - side) / 2)
    kept = view.inside.clip(start, start + side)
    scale = np.ptp(view.seen, 0) / np.ptp(view.inside, 0)
    return view._replace(seen=view.seen[0] + (kept - view.inside[0]) * scale, inside=kept - start)
