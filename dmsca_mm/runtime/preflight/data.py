"""The data that a run reads: files there, annotations in order, images that open, classes that fit the heads."""
from __future__ import annotations

import os.path as osp
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...errors import UsageError
from .annotations import check_coco, read_coco
from .classes import check_heads, classes_of, data_set_class, own_classes, reduces_zero_label
from .classification import check_classification
from .samples import SAMPLE, check_images, check_label_maps

_SOURCES = {
    'coco': 'get it from https://cocodataset.org/#download',
    'ade': 'get it from http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip',
    'imagenet': 'get it from https://www.image-net.org/download.php',
    'cifar': 'get it from https://www.cs.toronto.edu/~kriz/cifar.html, or let mmpretrain fetch it with download=True',
    'digits': 'make it with: python tools/make_digits.py',
    'digit_classes': 'make it with: python tools/make_digits.py --task classification',
}


def check_data(config: Config, loaders: tuple[str, ...], skip_bad_images: bool = False) -> list[str]:
    """Check the files of the data sets that a run reads, and the model's heads against their classes.

    Args:
        config: an OpenMMLab config.
        loaders: keys of its data loaders, such as ``'train_dataloader'``.
        skip_bad_images: whether training leaves out images that cannot be opened.

    Returns:
        Warnings.

    Raises:
        UsageError: a folder or annotation file that is missing, empty or out of order, a category of the config that
            it lacks, fewer classes in a head than in the data, or, among a few images, one that is missing or cannot
            be opened, or a label beyond the classes; the message names the file and the way out.
    """
    seen: set[Path] = set()
    found: list[str] = []
    for loader in loaders:
        for dataset in _datasets((config.get(loader) or {}).get('dataset')):
            root = dataset.get('data_root') or ''
            if '://' in root or _is_remote(dataset.get('backend_args')):
                continue
            bad_ones_pass = skip_bad_images and loader.startswith('train')
            if config.get('default_scope') == 'mmpretrain':
                found += _check_classifier(config, dataset, loader, bad_ones_pass)
                continue
            for folder in (dataset.get('data_prefix') or {}).values():
                path = Path(osp.join(root, folder or ''))
                if path not in seen:
                    _check_folder(path, dataset, loader, bad_ones_pass)
                    seen.add(path)
            path = Path(osp.join(root, dataset.get('ann_file') or ''))
            if dataset.get('ann_file') and path not in seen:
                _check_annotations(path, dataset, loader, bad_ones_pass)
                seen.add(path)
            found += _check_classes(config, dataset, loader)
    return list(dict.fromkeys(found))


def _datasets(node: Any) -> Iterator[dict[str, Any]]:
    """Every data set's dict, through wrappers such as RepeatDataset and ConcatDataset."""
    if isinstance(node, dict):
        if not {'ann_file', 'data_prefix', 'data_root'}.isdisjoint(node):
            yield node
        for key in ('dataset', 'datasets'):
            yield from _datasets(node.get(key))
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _datasets(value)


def _is_remote(backend: dict[str, Any] | None) -> bool:
    return bool(backend) and backend.get('backend', 'local') != 'local'


def _check_folder(path: Path, dataset: dict[str, Any], loader: str, bad_ones_pass: bool) -> None:
    if not path.is_dir():
        raise UsageError(f'{loader}: folder {path} does not exist; {_source(dataset)}')
    if next(path.iterdir(), None) is None:
        raise UsageError(f'{loader}: folder {path} is empty; {_source(dataset)}')
    check_images(_some_of(path), loader, bad_ones_pass=bad_ones_pass)


def _some_of(folder: Path) -> list[Path]:
    return list(islice(folder.iterdir(), SAMPLE))


def _check_annotations(path: Path, dataset: dict[str, Any], loader: str, bad_ones_pass: bool) -> None:
    named = f'{loader}: annotation file {path}'
    if not path.is_file():
        raise UsageError(f'{named} does not exist; {_source(dataset)}')
    if path.suffix != '.json':
        return
    content = read_coco(path, named)
    if str(dataset.get('type')).removeprefix('mmdet.') == 'CocoDataset':
        check_coco(content, named, for_metrics=not loader.startswith('train'))
    classes = (dataset.get('metainfo') or {}).get('classes')
    found = [str(entry.get('name')) for entry in content.get('categories') or () if isinstance(entry, dict)]
    missing = [name for name in classes or () if name not in found]
    if found and missing and not isinstance(classes, str):
        raise UsageError(f'{named} has no category {missing[0]!r}, which metainfo.classes names; it has '
                         f'{", ".join(found)}')
    prefix = (dataset.get('data_prefix') or {}).get('img')
    names = [image.get('file_name') for image in content['images'] if isinstance(image, dict)]
    if prefix is not None and all(isinstance(name, str) for name in names):
        folder = osp.join(dataset.get('data_root') or '', prefix)
        some = names[::-(-len(names) // SAMPLE)]
        check_images([Path(osp.join(folder, name)) for name in some], loader, path, bad_ones_pass)


def _check_classes(config: Config, dataset: dict[str, Any], loader: str) -> list[str]:
    scope = config.get('default_scope')
    own, classes = own_classes(dataset, scope), classes_of(dataset, scope)
    if not classes:
        return []
    folder = (dataset.get('data_prefix') or {}).get('seg_map_path')
    # A choice among the names that a data set's class brings along renumbers the labels; then any may be there.
    if folder is not None and classes == (own or classes):
        path = Path(osp.join(dataset.get('data_root') or '', folder))
        check_label_maps(_some_of(path), len(classes), reduces_zero_label(dataset, scope), loader)
    return check_heads(config, len(classes), loader)


def _check_classifier(config: Config, dataset: dict[str, Any], loader: str, bad_ones_pass: bool) -> list[str]:
    scope = config.default_scope
    kind, classes = data_set_class(dataset, scope), classes_of(dataset, scope)
    number = check_classification(dataset, kind, loader, classes, _source(dataset), bad_ones_pass)
    return check_heads(config, number, loader) if number else []


def _source(dataset: dict[str, Any]) -> str:
    for word, how in _SOURCES.items():
        if word in (dataset.get('data_root') or '').lower():
            return f'{how}, or set another data_root'
    return 'check data_root, ann_file and data_prefix in the config'
