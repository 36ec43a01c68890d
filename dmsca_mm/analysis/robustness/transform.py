"""Corrupting the images of a test: a step of its pipeline, right after the image is loaded."""
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
    """Corrupt ``results['img']``. The random numbers follow from its pixels: every model meets the same images.

    mmdet has a transform of its own, Corrupt, whose images differ from run to run.

    Args:
        corruption: see :func:`dmsca_mm.analysis.robustness.corrupt`.
        severity: 1 to 5.
    """

    def __init__(self, corruption: str, severity: int) -> None:
        self.corruption = corruption
        self.severity = severity

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Corrupt the image in place of the clean one; its type stays.

        Raises:
            ImageError: an image that cannot be corrupted, by name.
        """
        image = results['img']
        pixels = np.ascontiguousarray(image, dtype=np.uint8)  # of a loader with to_float32, whole numbers all the same
        try:
            found = corrupt(pixels, self.corruption, self.severity, seed=zlib.crc32(pixels))
        except ImageError as error:
            raise ImageError(f'{results.get("img_path")}: {error}') from None
        results['img'] = found.astype(image.dtype, copy=False)
        return results


def insert(node: Any, step: dict[str, Any]) -> int:
    """Put a step behind the one that loads the image, in every pipeline of a part of a config.

    Args:
        node: such as ``test_dataloader``; changed in place.
        step: of the pipeline.

    Returns:
        In how many pipelines.
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
