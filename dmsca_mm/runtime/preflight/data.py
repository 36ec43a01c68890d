"""The data that a run reads: files there, annotations in order, images that open, classes that fit the heads."""
from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_dir_or_file
from mmengine.registry import TRANSFORMS

from ...errors import UsageError
from .annotations import check_coco, read_coco
from .classes import argument_of, check_heads, classes_of, data_set_class, own_classes, reduces_zero_label
from .classification import check_classification
from .ignored import UNLABELLED, check_labels
from .parts import datasets, is_remote, metrics, name_of
from .samples import SAMPLE, check_images, labels_of

_SOURCES = {
    'coco': 'get it from https://cocodataset.org/#download',
    'ade': 'get it from http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip',
    'imagenet': 'get it from https://www.image-net.org/download.php',
    'cifar': 'get it from https://www.cs.toronto.edu/~kriz/cifar.html, or let mmpretrain fetch it with download=True',
    'digits': 'make it with: python tools/make_digits.py',
    'digit_classes': 'make it with: python tools/make_digits.py --task classification',
}


LABEL_MAPS = 'seg_map_path'
"""The folder of label maps among those of a data set's ``data_prefix``."""
_COCO = {'CocoDataset', 'BaseVideoDataset'}
"""Data sets whose annotation files, and those of the classes derived from them, are read with COCO's API."""


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
        for dataset in datasets(config.get(loader)):
            if is_remote(dataset):
                continue
            root = dataset.get('data_root') or ''
            bad_ones_pass = skip_bad_images and loader.startswith('train')
            if config.get('default_scope') == 'mmpretrain':
                found += _check_classifier(config, dataset, loader, bad_ones_pass)
                continue
            for key, folder in (dataset.get('data_prefix') or {}).items():
                path = Path(osp.join(root, folder or ''))
                if path not in seen and (key != LABEL_MAPS or _reads_labels(dataset)):
                    _check_folder(path, key, config, dataset, loader, bad_ones_pass)
                    seen.add(path)
            path = Path(osp.join(root, dataset.get('ann_file') or ''))
            if dataset.get('ann_file') and path not in seen:
                _check_annotations(path, config, dataset, loader, bad_ones_pass)
                seen.add(path)
            found += _check_classes(config, dataset, loader)
    return list(dict.fromkeys(found))


def _reads_labels(dataset: dict[str, Any]) -> bool:
    """Whether a pipeline loads label maps; one that stands elsewhere is taken to do so."""
    steps = dataset.get('pipeline')
    return not steps or any('Annotations' in name_of(step) for step in steps if isinstance(step, dict))


def _check_folder(path: Path, key: str, config: Config, dataset: dict[str, Any], loader: str, bad_ones_pass: bool
                  ) -> None:
    if not path.is_dir():
        raise UsageError(f'{loader}: folder {path} does not exist; {_source(dataset)}')
    if next(path.iterdir(), None) is None:
        raise UsageError(f'{loader}: folder {path} is empty; {_source(dataset)}')
    if not dataset.get('ann_file'):  # else the data set reads what that lists, and leaves other files alone
        check_images(_some_of(path, key, dataset, config.get('default_scope')), loader, bad_ones_pass=bad_ones_pass)


def _some_of(folder: Path, key: str, dataset: dict[str, Any], scope: str | None) -> list[Path]:
    """A few files that a data set reads in a folder of ``data_prefix``: as the library finds them, by their suffix."""
    listed = Path(osp.join(dataset.get('data_root') or '', dataset.get('ann_file') or ''))
    suffix = argument_of(dataset, 'seg_map_suffix' if key == LABEL_MAPS else 'img_suffix', scope)
    if suffix and dataset.get('ann_file') and listed.is_file():
        names = listed.read_text(errors='replace').split()
        return [folder / (name + suffix) for name in names[::-(-len(names) // SAMPLE)]] if names else []
    found = list_dir_or_file(folder, list_dir=False, suffix=suffix, recursive=True)
    return [folder / name for name in islice(found, SAMPLE)]


def _check_annotations(path: Path, config: Config, dataset: dict[str, Any], loader: str, bad_ones_pass: bool) -> None:
    named = f'{loader}: annotation file {path}'
    if not path.is_file():
        raise UsageError(f'{named} does not exist; {_source(dataset)}')
    if _COCO.isdisjoint(_family(dataset, config.get('default_scope'))):
        return
    content = read_coco(path, named)
    if not loader.startswith('train'):
        content.setdefault('annotations', [])  # of images to be submitted, such as COCO's test-dev, there are none
    if name_of(dataset) == 'CocoDataset':
        read_by_metrics = (metric.get('ann_file') for metric in metrics(config, loader))
        check_coco(content, named, for_metrics=any(file and Path(file) == path for file in read_by_metrics))
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


def _family(dataset: dict[str, Any], scope: str | None) -> set[str]:
    """The names of a data set's class and of those that it is derived from."""
    return {name_of(dataset), *(base.__name__ for base in getattr(data_set_class(dataset, scope), '__mro__', ()))}


def _check_classes(config: Config, dataset: dict[str, Any], loader: str) -> list[str]:
    scope = config.get('default_scope')
    own, classes = own_classes(dataset, scope), classes_of(dataset, scope)
    if not classes or 'BaseVideoDataset' in _family(dataset, scope):  # of videos' classes few may be annotated
        return []
    things = (getattr(data_set_class(dataset, scope), 'METAINFO', None) or {}).get('thing_classes', classes)
    folder = (dataset.get('data_prefix') or {}).get(LABEL_MAPS)
    found = []
    if scope == 'mmseg' and folder is not None and _reads_labels(dataset):
        reduces, loading = reduces_zero_label(dataset, scope), TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))
        renumbered = _renumbered(dataset, own, classes, loader)
        maps = _some_of(Path(osp.join(dataset.get('data_root') or '', folder)), LABEL_MAPS, dataset, scope)
        labels = labels_of(maps, lambda path: loading(dict(
            seg_map_path=str(path), reduce_zero_label=reduces, label_map=renumbered, seg_fields=[]))['gt_seg_map'])
        found = check_labels(config, labels, len(classes), reduces, loader)
    return [*found, *check_heads(config, len(things if classes == own else classes), loader)]


def _renumbered(dataset: dict[str, Any], own: Sequence[str] | None, classes: Sequence[str], loader: str
                ) -> dict[int, int] | None:
    """What becomes of the labels where a config chooses among the classes of a data set of label maps."""
    if own is None or list(own) == list(classes):
        return None
    unknown = [name for name in classes if name not in own]
    if unknown:
        raise UsageError(f'{loader}: metainfo.classes names {unknown[0]!r}, which {name_of(dataset)} does not have; it '
                         f'has {", ".join(own)}')
    return {label: classes.index(name) if name in classes else UNLABELLED for label, name in enumerate(own)}


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
