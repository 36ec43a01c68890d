"""Check the data of a run: files, annotations, a sample of images, and classes against the heads."""
from __future__ import annotations

import os.path as osp
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import TRANSFORMS

from ..config_tree import walk
from ..errors import UsageError
from .classes import check_heads, classes_of, data_set_class, own_classes, reduces_zero_label
from .classification import check_classification
from .coco import read_coco
from .config_parts import datasets, is_remote, metrics, name_of, registered
from .detection import check_detection
from .evaluators import check_evaluators
from .ignored import check_labels, ignored_labels
from .samples import check_images, spread
from .segmentation import check_segmentation, reads_labels

_SOURCES = {
    'coco': 'get it from https://cocodataset.org/#download',
    'ade': 'get it from http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip',
    'imagenet': 'get it from https://www.image-net.org/download.php',
    'cifar': 'get it from https://www.cs.toronto.edu/~kriz/cifar.html, or let mmpretrain fetch it with download=True',
    'digits': 'make it with: python -m dmsca_mm make-digits',
    'digit_classes': 'make it with: python -m dmsca_mm make-digits --task classification',
}


_LABEL_MAPS = 'seg_map_path'
"""Key of the label map folder in ``data_prefix``."""
_VIDEOS, _SEGMENTATION = 'BaseVideoDataset', 'BaseSegDataset'
"""Base classes of data sets with videos in COCO's format, and with label maps."""
_OF_A_FILE = {'CocoDataset', _VIDEOS, _SEGMENTATION}
"""Base classes of data sets whose ``ann_file`` is a file; that of others may be a folder."""
_LIBRARIES = {'mmcv', 'mmdet', 'mmseg', 'mmpretrain', __package__.partition('.')[0]}


def check_data(config: Config, loaders: tuple[str, ...], skip_bad_images: bool = False,
               measured: bool = True) -> list[str]:
    """Check the files of the data sets that a run reads, and the model's heads against their classes.

    Args:
        config: an OpenMMLab config.
        loaders: keys of the data loaders to check, such as ``'train_dataloader'``.
        skip_bad_images: whether training skips images that cannot be opened.
        measured: whether the evaluators run as well.

    Returns:
        Warnings.

    Raises:
        UsageError: a folder or annotation file is missing, empty or invalid; a class of the config is missing from the
            file; a head has fewer classes than the data; a listed image is missing, or a sampled one cannot be opened;
            a label is out of range. The message names the file and the remedy.
    """
    seen: set[Path] = set()
    found: list[str] = []
    scope = config.get('default_scope')
    for loader in loaders:
        bad_ones_pass = (skip_bad_images and loader.startswith('train')) or any(
            part.get('ignore_empty') for _, part in walk(config.get(loader)))
        files, classes = [], None
        for dataset in datasets(config.get(loader)):
            if is_remote(dataset):
                continue
            if scope == 'mmpretrain':
                found += _check_classifier(config, dataset, loader, bad_ones_pass)
                continue
            family, classes, labels = _family(dataset, scope), classes_of(dataset, scope), {}
            listed = dataset.get('ann_file') and Path(osp.join(dataset.get('data_root') or '', dataset['ann_file']))
            for path in _folders(dataset, loader):
                if path not in seen:
                    _check_folder(path, dataset, loader)
                    seen.add(path)
                    if not listed and _SEGMENTATION not in family:
                        shown = sorted(one for one in path.iterdir() if not one.name.startswith('.'))
                        check_images(spread(shown), loader, bad_ones_pass=bad_ones_pass)
            if listed and not (listed.is_file() if family & _OF_A_FILE else listed.exists()):
                raise UsageError(f'{loader}: annotation file {listed} does not exist; {_source(dataset)}')
            if listed and 'CocoDataset' in family:
                found += check_detection(listed, dataset, data_set_class(dataset, scope), scope, loader, bad_ones_pass,
                                         *_measured(listed, config, loader))
                files.append(listed)
                if measured and not loader.startswith('train') and dataset.get('pipeline'):
                    found += _check_resize(dataset.pipeline, loader)
            elif listed and _VIDEOS in family:
                read_coco(listed, f'{loader}: annotation file {listed}', annotations=False)
            elif _SEGMENTATION in family:
                of_files, labels = check_segmentation(dataset, data_set_class(dataset, scope), scope,
                                                      set(ignored_labels(config)), loader, bad_ones_pass)
                found += of_files
                if measured and not reads_labels(dataset) and not _has_own_step(dataset, scope):
                    _refuse_unloaded_labels(config, loader)
            found += _check_classes(config, dataset, labels, loader)
        if files and measured:
            key = loader.replace('dataloader', 'evaluator')
            found += check_evaluators(metrics(config, loader), key, files, classes)
    return list(dict.fromkeys(found))


def _family(dataset: dict[str, Any], scope: str | None) -> set[str]:
    """Return the names of a data set's class and its base classes."""
    return {name_of(dataset), *(base.__name__ for base in getattr(data_set_class(dataset, scope), '__mro__', ()))}


def _folders(dataset: dict[str, Any], loader: str) -> list[Path]:
    """Return the folders of ``data_prefix``; that of label maps only if the pipeline loads them."""
    prefix = dataset.get('data_prefix') or {}
    if isinstance(prefix, str):
        raise UsageError(f'{loader}: data_prefix is {prefix!r}, a string, which only mmpretrain accepts: use a dict, '
                         f'data_prefix=dict(img={prefix!r}) for mmdet or dict(img_path={prefix!r}) for mmseg')
    return [Path(osp.join(dataset.get('data_root') or '', folder or ''))
            for key, folder in prefix.items() if key != _LABEL_MAPS or reads_labels(dataset)]


def _measured(path: Path, config: Config, loader: str) -> tuple[bool, bool]:
    """Return whether a metric reads an annotation file, and whether one reads its masks."""
    readers = [metric for metric in metrics(config, loader) if isinstance(metric.get('ann_file'), str)
               and Path(metric['ann_file']).is_file() and path.samefile(metric['ann_file'])]
    return bool(readers), any('segm' in (metric.get('metric') or ()) for metric in readers)


def _check_resize(steps: list[Any], loader: str) -> list[str]:
    if any(word in str(steps) for word in ('Resize', 'Scale', 'CropPad')):  # the last is CenterNet's, which needs none
        return []
    return [f"{loader}: no step of its pipeline resizes, and mmdet's heads need the scale_factor that a resize sets: "
            "add dict(type='Resize', scale=(width, height), keep_ratio=True)"]


def _has_own_step(dataset: dict[str, Any], scope: str | None) -> bool:
    """Return whether a step of a pipeline is the user's own, which may load the label maps."""
    kinds = [registered(step['type'], 'pipeline', TRANSFORMS, scope) if isinstance(step, dict) else step
             for step in dataset.get('pipeline') or ()]  # a step may be a function
    return any(kind.__module__.partition('.')[0] not in _LIBRARIES for kind in kinds)


def _refuse_unloaded_labels(config: Config, loader: str) -> None:
    for metric in metrics(config, loader):
        if name_of(metric) == 'IoUMetric' and not metric.get('format_only'):
            raise UsageError(f'{loader}: no step of its pipeline loads label maps, and IoUMetric needs them: add '
                             "dict(type='LoadAnnotations') after the resize, or set format_only=True")


def _check_folder(path: Path, dataset: dict[str, Any], loader: str) -> None:
    if not path.is_dir():
        raise UsageError(f'{loader}: folder {path} does not exist; {_source(dataset)}')
    if next(path.iterdir(), None) is None:
        raise UsageError(f'{loader}: folder {path} is empty; {_source(dataset)}')


def _check_classes(config: Config, dataset: dict[str, Any], labels: dict[int, str], loader: str) -> list[str]:
    scope = config.get('default_scope')
    own, classes = own_classes(dataset, scope), classes_of(dataset, scope)
    if not classes or _VIDEOS in _family(dataset, scope):  # videos may have annotations of a few classes only
        return []
    found = check_labels(config, labels, len(classes), reduces_zero_label(dataset, scope), loader)
    things = (getattr(data_set_class(dataset, scope), 'METAINFO', None) or {}).get('thing_classes', classes)
    if classes != own and things != classes:  # a panoptic data set: its heads have boxes of some of the classes
        things = (dataset.get('metainfo') or {}).get('thing_classes')
    return [*found, *(check_heads(config, len(things), loader) if things else ())]


def _check_classifier(config: Config, dataset: dict[str, Any], loader: str, bad_ones_pass: bool) -> list[str]:
    scope = config.default_scope
    kind, classes = data_set_class(dataset, scope), classes_of(dataset, scope)
    number = check_classification(dataset, kind, loader, classes, _source(dataset), bad_ones_pass)
    return check_heads(config, number, loader) if number else []


def _source(dataset: dict[str, Any]) -> str:
    for word, how in _SOURCES.items():
        if re.search(rf'(^|/){word}', (dataset.get('data_root') or '').lower()):
            return f'{how}, or set another data_root'
    return 'check data_root, ann_file and data_prefix in the config'
