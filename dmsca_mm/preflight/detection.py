"""Check detection data as mmdet's CocoDataset reads it: a COCO annotation file and the images it lists."""
from __future__ import annotations

import inspect
import os.path as osp
from pathlib import Path
from typing import Any

from ..config_tree import walk
from ..errors import UsageError
from .annotations import check_coco
from .categories import check_categories
from .classes import classes_of, named_classes
from .coco import Coco, Image, read_coco
from .config_parts import name_of
from .kept import category_ids, check_left, nothing_to_learn, usable
from .masks import check_masks, check_measured_masks
from .presence import check_present
from .samples import check_images, size_of, spread


def check_detection(path: Path, dataset: dict[str, Any], kind: Any, scope: str | None, loader: str,
                    bad_ones_pass: bool, measured: bool, measured_masks: bool) -> list[str]:
    """Check an annotation file and the images it lists.

    Args:
        path: path of the file, which must exist.
        dataset: the config of the data set that reads it.
        kind: its class. Only mmdet's CocoDataset and its subclasses are checked; for subclasses that read entries
            in their own way, only categories and images.
        scope: see :func:`~.classes.classes_of`.
        loader: the key of the data loader that reads it.
        bad_ones_pass: whether the run skips images that are missing or cannot be opened.
        measured: whether a metric reads the file with pycocotools.
        measured_masks: whether it reads the masks, too.

    Returns:
        Warnings about annotations and images that mmdet drops, and images whose size differs from the listed one.

    Raises:
        UsageError: the file is invalid, does not fit the classes or leaves no image to train on; listed images are
            missing, or a sampled one cannot be opened.
    """
    base = _coco_dataset(kind)
    if base is None:
        return []
    named = f'{loader}: annotation file {path}'
    classes, chosen = classes_of(dataset, scope), named_classes(dataset) is not None
    plain = reads_as_mmdet(kind)
    content = read_coco(path, named, annotations=plain)
    if kind.__init__ is base.__init__ and 'img' not in (dataset.get('data_prefix') or {}):
        raise UsageError(f'{loader}: data_prefix has no img, the folder of the images that {path} lists: set '
                         "data_prefix=dict(img='...')")
    found = check_coco(content, named, for_metrics=measured) if plain else []
    if classes and (plain or chosen):
        found += check_categories(content, classes, chosen, named)
    if measured_masks and plain:
        check_measured_masks(content, category_ids(content, classes), named)
    if plain:
        kept, left_out = usable(content, classes, chosen, named)
        found += [*left_out, *check_masks(content, kept, dataset.get('pipeline'), named)]
        if not dataset.get('test_mode'):  # a test keeps every image
            found += check_left(content, classes, dataset.get('filter_cfg') or {}, named)
            if not any(name_of(step) == 'LoadEmptyAnnotations' for _, step in walk(dataset.get('pipeline'))):
                found += nothing_to_learn(content, kept, named)
    return found + _check_images(content, path, dataset, loader, bad_ones_pass)


def reads_as_mmdet(kind: Any) -> bool:
    """Return whether a data set class reads annotations as mmdet's CocoDataset does.

    Args:
        kind: the class.
    """
    base = _coco_dataset(kind)
    return inspect.isclass(base) and all(getattr(kind, method) is getattr(base, method)
                                    for method in ('load_data_list', 'parse_data_info', 'filter_data'))


def _coco_dataset(kind: Any) -> Any:
    """Return mmdet's CocoDataset if it is ``kind`` or a base class of it, else None."""
    bases = kind.__mro__ if inspect.isclass(kind) else ()
    return next((base for base in bases if base.__name__ == 'CocoDataset'), None)


def _check_images(content: Coco, path: Path, dataset: dict[str, Any], loader: str, bad_ones_pass: bool
                  ) -> list[str]:
    images = [image for image in content.images if isinstance(image, Image)]
    prefix = (dataset.get('data_prefix') or {}).get('img')
    if prefix is None or not all(isinstance(image.file_name, str) for image in images):
        return []
    folder = osp.join(dataset.get('data_root') or '', prefix)
    paths = [osp.join(folder, image.file_name) for image in images]
    check_present(paths, f'{loader}: image', str(path), 'check data_prefix in the config', bad_ones_pass)
    sample = spread(list(zip(paths, images, strict=True)))
    check_images([Path(file) for file, _ in sample], loader, bad_ones_pass=bad_ones_pass)
    sizes = [(file, size_of(file), (image.width, image.height)) for file, image in sample]
    others = [one for one in sizes if one[1] not in (None, one[2])]
    if not others:
        return []
    file, size, listed = others[0]
    return [f'{loader}: {len(others)} of {len(sizes)} images that were opened (of {len(images)}) are not '
            f'of the size that {path} lists; the first is {file}, {size[0]}×{size[1]} pixels, listed as '
            f'{listed[0]}×{listed[1]}: boxes are in pixels of the image file']
