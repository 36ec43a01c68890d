"""Pipeline step that corrupts the images of a test, right after they are loaded."""
from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from ...config_tree import walk
from ...errors import ImageError
from . import corrupt


@TRANSFORMS.register_module()
class CorruptImage(BaseTransform):
    """Corrupt ``results['img']``. The random numbers depend only on its pixels, so every model sees the same images.

    The images of mmdet's own transform, Corrupt, differ from run to run.

    Args:
        corruption: see :func:`dmsca_mm.analysis.robustness.corrupt`.
        severity: 1 to 5.
    """

    def __init__(self, corruption: str, severity: int) -> None:
        self.corruption = corruption
        self.severity = severity

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the image with a corrupted one of the same type.

        Raises:
            ImageError: the image cannot be corrupted; the message has its path.
        """
        image = results['img']
        try:
            pixels = _eight_bit(image)
            found = corrupt(pixels, self.corruption, self.severity, seed=zlib.crc32(pixels))
        except ImageError as error:
            raise ImageError(f'{results.get("img_path")}: {error}') from None
        results['img'] = found.astype(image.dtype, copy=False)
        return results


def _eight_bit(image: np.ndarray) -> np.ndarray:
    """Return an image, of floats with ``to_float32``, as uint8."""
    with np.errstate(invalid='ignore'):  # a cast of NaN, which the comparison reports
        pixels = np.ascontiguousarray(image, dtype=np.uint8)
    if not np.array_equal(pixels, image):
        raise ImageError(f'an image of {image.dtype} with values from {image.min()} to {image.max()} cannot be '
                         'corrupted: the corruptions are defined for 8 bits, whole numbers from 0 to 255')
    return pixels


def insert(node: Any, step: dict[str, Any]) -> int:
    """Insert a step after the one that loads the image, in every pipeline of a part of a config.

    Args:
        node: part of a config, such as ``test_dataloader``; changed in place.
        step: pipeline step to insert.

    Returns:
        The number of changed pipelines.
    """
    number = 0
    for _, part in walk(node):
        pipeline = part.get('pipeline')
        places = [place for place, other in enumerate(pipeline or ()) if _loads_image(other)]
        if places:
            after = places[0] + 1
            part['pipeline'] = [*pipeline[:after], step, *pipeline[after:]]
            number += 1
    return number


def _loads_image(step: dict[str, Any]) -> bool:
    name = getattr(step['type'], '__name__', step['type']).split('.')[-1]
    return name.startswith('Load') and 'Image' in name
