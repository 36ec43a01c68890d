"""Check segmentation data as mmseg's BaseSegDataset lists it: images and their label maps."""
from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config_tree import walk
from ..errors import UsageError
from .classes import classes_of, own_classes
from .config_parts import name_of
from .label_maps import check_maps
from .presence import check_present
from .samples import SUFFIXES, check_images, spread


def check_segmentation(dataset: dict[str, Any], kind: type, scope: str | None, ignored: set[int], loader: str,
                       bad_ones_pass: bool) -> tuple[list[str], dict[int, str]]:
    """Check the files of a segmentation data set, as the data set itself lists them.

    Args:
        dataset: its config.
        kind: its class, mmseg's BaseSegDataset or a subclass.
        scope: the library that resolves the names in its pipeline.
        ignored: labels that neither the loss nor the metric counts.
        loader: the key of the data loader that reads it.
        bad_ones_pass: whether the run skips images that are missing or cannot be opened.

    Returns:
        Warnings about images with another suffix, which mmseg ignores, and those of
        :func:`~.label_maps.check_maps`; the labels that it found, each with a file.

    Raises:
        UsageError: the data set cannot be built or is empty; an image or label map is missing; a label map is
            unusable.
    """
    own, chosen = own_classes(dataset, scope), classes_of(dataset, scope) or ()
    if own and (unknown := [name for name in chosen if name not in own]):
        raise UsageError(f'{loader}: metainfo.classes names {unknown[0]!r}, which {name_of(dataset)} does not have; it '
                         f"has {', '.join(own)}; data of your own classes are of type='BaseSegDataset'")
    options = {key: value for key, value in dataset.items() if key not in ('type', '_scope_')}
    try:
        built = kind(**{**options, 'lazy_init': True, 'pipeline': []})
        files = built.load_data_list()
    except Exception as error:  # a data set may raise anything
        raise UsageError(f'{loader}: data set {kind.__name__} cannot be built: {type(error).__name__}: '
                         f'{error}') from None
    folder, labels = built.data_prefix.get('img_path'), built.data_prefix.get('seg_map_path')
    listed = osp.isfile(built.ann_file)
    found, present = [], {}
    if not files:
        raise UsageError(f'{loader}: list {built.ann_file} names no image' if listed else
                         _no_image(folder, built.img_suffix, loader))
    if listed:
        check_present([one['img_path'] for one in files], f'{loader}: image', str(built.ann_file),
                      f'its lines must not include img_suffix={built.img_suffix!r}; check data_prefix', bad_ones_pass)
    elif folder != labels:
        found = _left_out(folder, built.img_suffix, loader)
    check_images([Path(one['img_path']) for one in spread(files)], loader, bad_ones_pass=bad_ones_pass)
    if labels is not None and reads_labels(dataset):
        check_present([one['seg_map_path'] for one in files], f'{loader}: label map', str(built.ann_file or folder),
                      f'its name is that of the image with seg_map_suffix={built.seg_map_suffix!r} instead of '
                      f'img_suffix={built.img_suffix!r}; check both and data_prefix', bad_ones_pass)
        of_maps, present = check_maps(files, dataset.get('pipeline'), built, scope, ignored, loader, bad_ones_pass)
        found += of_maps
    return found, present


def reads_labels(dataset: dict[str, Any]) -> bool:
    """Return whether a pipeline loads label maps, at any depth; True for a data set without one in its config.

    Args:
        dataset: the config of a data set.
    """
    steps = dataset.get('pipeline')
    return not steps or any('Annotation' in name_of(step) for _, step in walk(steps))  # also LoadBiomedicalAnnotation


def _no_image(folder: str, suffix: str, loader: str) -> str:
    kinds = Counter(osp.splitext(name)[1] for name in _names(folder))
    have = ', '.join(f'{number} of {kind or "none"}' for kind, number in kinds.most_common(5)) or 'no file'
    images = [kind for kind, _ in kinds.most_common() if kind.lower() in SUFFIXES]
    remedy = f'set img_suffix={images[0]!r}' if images else 'check data_prefix'
    return f'{loader}: no file in {folder} ends in img_suffix={suffix!r}; by suffix there are {have}: {remedy}'


def _left_out(folder: str, suffix: str, loader: str) -> list[str]:
    images = [name for name in _names(folder) if name.lower().endswith(SUFFIXES)]
    others = [name for name in images if not name.endswith(suffix)]
    if not others:
        return []
    return [f'{loader}: {len(others)} of {len(images)} images in {folder} do not end in img_suffix={suffix!r} and are '
            f'left out, such as {min(others)}']


def _names(folder: str) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from (name for name in names if not name.startswith('.'))
