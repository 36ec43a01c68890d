"""Check the masks in a COCO annotation file as mmdet's LoadAnnotations and pycocotools read them."""
from __future__ import annotations

from typing import Any

from ..errors import UsageError
from .coco import Annotation, Coco, has_polygon, is_code


def check_masks(content: Coco, kept: list[Annotation], pipeline: Any, named: str) -> list[str]:
    """Check the masks of a file if a pipeline loads them.

    Args:
        content: contents of the file.
        kept: the annotations that mmdet keeps.
        pipeline: pipeline of the data set.
        named: name of the file in messages.

    Returns:
        A warning about masks that mmdet drops.

    Raises:
        UsageError: an annotation has no mask, on which mmdet fails with ``KeyError: 'mask'``; a run-length encoding
            differs in size from its image, which mmdet refuses.
    """
    steps = [step for step in pipeline or () if isinstance(step, dict) and step.get('with_mask')]
    if not steps:
        return []
    sizes = {image.id: [image.height, image.width] for image in content.images}
    without = [entry for entry in kept if not _is_there(entry.segmentation)]
    if without:
        raise UsageError(f'{named}: {len(without)} of {len(kept)} annotations have no mask, and the pipeline loads '
                         f'masks; the first is that of id {without[0].id!r}, whose segmentation is '
                         f'{without[0].segmentation!r:.40}: give polygons, or with_mask=False '
                         'and a model without masks')
    polygons = all(step.get('poly2mask', True) for step in steps)
    left_out = [entry for entry in kept if not has_polygon(entry.segmentation)
                and not (polygons and is_code(entry.segmentation))]
    misfits = [entry for entry in kept if is_code(entry.segmentation) and polygons
               and entry.segmentation['size'] != sizes[entry.image_id]]
    if misfits:
        size = misfits[0].segmentation['size']
        raise UsageError(f'{named}: {len(misfits)} of {len(kept)} masks are of another size than their image; the '
                         f'first is that of id {misfits[0].id!r}, whose size is {size} and that of its image '
                         f'{sizes[misfits[0].image_id]} (height, width)')
    if left_out:
        return [f'{named}: {len(left_out)} of {len(kept)} masks (the first is that of id {left_out[0].id!r}) are '
                'neither polygons of three points or more nor run-length encodings: mmdet leaves them out']
    return []


def check_measured_masks(content: Coco, used: set[Any], named: str) -> None:
    """Check the masks of a file with which pycocotools measures masks: all, also those that mmdet does not keep.

    Args:
        content: contents of the file.
        used: ids of the categories that are measured.
        named: name of the file in messages.

    Raises:
        UsageError: an annotation has no mask, on which pycocotools fails after the first epoch.
    """
    without = [entry for entry in content.annotations if entry.category_id in used
               and not has_polygon(entry.segmentation) and not is_code(entry.segmentation)]
    if without:
        raise UsageError(f'{named}: {len(without)} of {len(content.annotations)} annotations have no mask, and the '
                         f'metric measures masks; the first is that of id {without[0].id!r}, whose segmentation is '
                         f"{without[0].segmentation!r:.40}: give polygons of three points, or metric='bbox'")


def _is_there(mask: Any) -> bool:
    if isinstance(mask, list):
        return mask != [] and all(isinstance(polygon, list) for polygon in mask)
    return isinstance(mask, dict) and mask != {}
