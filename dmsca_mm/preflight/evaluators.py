"""Compare the annotation file of CocoMetric with those of the data it evaluates."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .annotations import check_coco
from .categories import check_categories
from .coco import Coco, Image, read_coco
from .config_parts import name_of


def check_evaluators(evaluators: list[dict[str, Any]], key: str, files: Sequence[Path], classes: Sequence[str] | None
                     ) -> list[str]:
    """Check the annotation files of a data loader's metrics.

    Args:
        evaluators: the configs of the metrics.
        key: key of the evaluator, such as ``'val_evaluator'``.
        files: annotation files of the evaluated data sets, already checked.
        classes: class names of those data sets.

    Returns:
        Warnings.

    Raises:
        UsageError: a file is missing or invalid, lacks a class, or lacks images of the data, on which pycocotools
            fails with "Results do not correspond to current coco set" after the first epoch.
    """
    found = []
    for path in _files(evaluators, key):
        if not path.is_file():
            raise UsageError(f'{key}: annotation file {path} does not exist: set {key}.ann_file to that of the data')
        if any(path.samefile(file) for file in files):
            continue
        named = f'{key}: annotation file {path}'
        content = read_coco(path, named)
        found += check_coco(content, named, for_metrics=True)
        if classes:
            found += check_categories(content, classes, True, named)
        listed = {*_image_ids(content)}
        for file in files:
            images = _image_ids(read_coco(file, str(file), annotations=False))
            missing = [image for image in images if image not in listed]
            if missing:
                raise UsageError(f'{named} lacks {len(missing)} of {len(images)} images of {file}, the first of id '
                                 f'{missing[0]!r}: set {key}.ann_file to that of the data')
    return found


def _image_ids(content: Coco) -> list[Any]:
    """Return the ids of the listed images; data sets with a format of their own may list other entries."""
    return [image.id for image in content.images if isinstance(image, Image)]


def _files(evaluators: list[dict[str, Any]], key: str) -> Iterable[Path]:
    for entry in evaluators:
        path = entry.get('ann_file')
        if name_of(entry) != 'CocoMetric' or not path:
            continue
        if not isinstance(path, str):
            raise UsageError(f'{key}.ann_file is {path!r}, must be a string')
        if '://' not in path and not entry.get('backend_args'):
            yield Path(path)
