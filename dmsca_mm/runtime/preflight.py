"""What can be known to be wrong before a run starts, said before anything is written."""
from __future__ import annotations

import json
import os.path as osp
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.config import Config
from PIL import Image

from ..attention import DMSCA
from ..errors import UsageError
from ..plugin import backbones, check_operator_arguments, check_takes_plugins
from . import checkpoint

SAMPLE = 16
"""Images of a data set that are opened before a run."""
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
_SOURCES = {
    'coco': 'get it from https://cocodataset.org/#download',
    'ade': 'get it from http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip',
    'digits': 'make it with: python tools/make_digits.py',
}


def check_model(config: Config) -> None:
    """Check the backbones and their plugins.

    Args:
        config: an OpenMMLab config.

    Raises:
        UsageError: no backbone, a backbone that takes no plugins, operator arguments out of range, stages of another
            number than the backbone's.
    """
    for backbone in backbones(config):
        entries = backbone.get('plugins') or []
        if entries:
            check_takes_plugins(backbone, config.get('default_scope'))
        for entry in entries:
            stages, number = entry.get('stages'), backbone.get('num_stages', 4)
            if stages is not None and len(stages) != number:
                raise UsageError(f'plugin stages {tuple(stages)} has {len(stages)} entries, but the backbone has '
                                 f'{number} stages: give one of True and False for each')
            arguments = dict(entry['cfg'])
            if arguments.pop('type') in ('DMSCA', DMSCA):
                arguments.pop('postfix', None)
                try:
                    check_operator_arguments(arguments)
                except (TypeError, ValueError) as error:
                    raise UsageError(f'plugin DMSCA: {error}') from None


def check_weights(config: Config) -> None:
    """Check the weights that a config starts from, as far as they lie here.

    Args:
        config: with ``load_from``, ``init_cfg`` or ``pretrained`` anywhere in its model.

    Raises:
        UsageError: a local file that is missing, cut short or holds code; torchvision weights without torchvision.
    """
    for name in _pretrained(config.get('model')):
        if name.startswith(('torchvision://', 'modelzoo://')):
            if find_spec('torchvision') is None:
                raise UsageError(f'{name} needs torchvision, which is not installed: install it, or name the same '
                                 'weights by address or local file, for ResNet-50 --cfg-options '
                                 'model.backbone.init_cfg.checkpoint='
                                 'https://download.pytorch.org/models/resnet50-0676ba61.pth, or start from scratch '
                                 'with --cfg-options model.backbone.init_cfg=None')
        elif '://' not in name:
            checkpoint.read(name)
    if config.get('load_from') and '://' not in config.load_from:
        checkpoint.read(config.load_from)


def _pretrained(node: Any) -> Iterator[str]:
    """Names of the weights in ``init_cfg=dict(type='Pretrained', checkpoint=...)`` and ``pretrained=...``."""
    if isinstance(node, dict):
        if node.get('type') == 'Pretrained' and isinstance(node.get('checkpoint'), str):
            yield node['checkpoint']
        if isinstance(node.get('pretrained'), str):
            yield node['pretrained']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _pretrained(value)


def check_data(config: Config, loaders: tuple[str, ...]) -> None:
    """Check the files of the data sets that a run reads.

    Args:
        config: an OpenMMLab config.
        loaders: keys of its data loaders, such as ``'train_dataloader'``.

    Raises:
        UsageError: a folder or annotation file that is missing or empty, an annotation file that is not COCO's JSON or
            lacks a category of the config, or, among a few images, one that is missing or cannot be opened; the
            message names the file and the way out.
    """
    seen: set[Path] = set()
    for loader in loaders:
        for dataset in _datasets((config.get(loader) or {}).get('dataset')):
            root = dataset.get('data_root') or ''
            if '://' in root or _is_remote(dataset.get('backend_args')):
                continue
            for folder in (dataset.get('data_prefix') or {}).values():
                _once(seen, Path(osp.join(root, folder or '')), _check_folder, dataset, loader)
            if dataset.get('ann_file'):
                _once(seen, Path(osp.join(root, dataset['ann_file'])), _check_annotations, dataset, loader)


def _once(seen: set[Path], path: Path, check: Any, dataset: dict[str, Any], loader: str) -> None:
    if path not in seen:
        seen.add(path)
        check(path, dataset, loader)


def _datasets(node: Any) -> Iterator[dict[str, Any]]:
    """Every data set's dict, through wrappers such as RepeatDataset and ConcatDataset."""
    if isinstance(node, dict):
        if 'ann_file' in node or 'data_prefix' in node:
            yield node
        for key in ('dataset', 'datasets'):
            yield from _datasets(node.get(key))
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _datasets(value)


def _is_remote(backend: dict[str, Any] | None) -> bool:
    return bool(backend) and backend.get('backend', 'local') != 'local'


def _check_folder(path: Path, dataset: dict[str, Any], loader: str) -> None:
    if not path.is_dir():
        raise UsageError(f'{loader}: folder {path} does not exist; {_source(dataset)}')
    if next(path.iterdir(), None) is None:
        raise UsageError(f'{loader}: folder {path} is empty; {_source(dataset)}')
    _check_images(list(islice(path.iterdir(), SAMPLE)), loader)


def _check_annotations(path: Path, dataset: dict[str, Any], loader: str) -> None:
    if not path.is_file():
        raise UsageError(f'{loader}: annotation file {path} does not exist; {_source(dataset)}')
    if path.suffix != '.json':
        return
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f'{loader}: annotation file {path} is not JSON ({error}); {_source(dataset)}') from None
    if not isinstance(content, dict) or not content.get('images'):
        raise UsageError(f'{loader}: annotation file {path} lists no images; {_source(dataset)}')
    classes, found = (dataset.get('metainfo') or {}).get('classes'), _names(content.get('categories'))
    missing = [name for name in classes or () if name not in found]
    if found and missing and not isinstance(classes, str):
        raise UsageError(f'{loader}: annotation file {path} has no category {missing[0]!r}, which metainfo.classes '
                         f'names; it has {", ".join(found)}')
    prefix = (dataset.get('data_prefix') or {}).get('img')
    names = [image.get('file_name') for image in content['images'] if isinstance(image, dict)]
    if prefix is not None and all(isinstance(name, str) for name in names):
        folder = osp.join(dataset.get('data_root') or '', prefix)
        _check_images([Path(osp.join(folder, name)) for name in names[::-(-len(names) // SAMPLE)]], loader, path)


def _names(categories: Any) -> list[str]:
    return [str(entry.get('name')) for entry in categories or () if isinstance(entry, dict)]


def _check_images(paths: list[Path], loader: str, listed_in: Path | None = None) -> None:
    """Open a few images; decode none."""
    for path in paths:
        if path.suffix.lower() not in IMAGES:
            continue
        if listed_in is not None and not path.is_file():
            raise UsageError(f'{loader}: image {path} does not exist, though {listed_in} lists it: '
                             'check data_prefix in the config')
        try:
            with suppress(Image.DecompressionBombError):  # large, and the training may well want it
                Image.open(path).close()
        except OSError as error:
            raise UsageError(f'{loader}: image {path} ({path.stat().st_size} bytes) cannot be opened '
                             f'({type(error).__name__}): replace it, or take it out of the data set') from None


def _source(dataset: dict[str, Any]) -> str:
    for word, how in _SOURCES.items():
        if word in (dataset.get('data_root') or '').lower():
            return f'{how}, or set another data_root'
    return 'check data_root, ann_file and data_prefix in the config'


def check_work_directory(path: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to start a fresh run where another run's checkpoints lie.

    Args:
        path: the work directory.
        resume: whether the run goes on from a checkpoint.
        overwrite: whether the old checkpoints may go.

    Raises:
        UsageError: there are checkpoints and neither is given.
    """
    old = sorted(path.glob('*.pth'))
    if old and not resume and not overwrite:
        raise UsageError(f'work directory {path} holds {len(old)} checkpoint(s) of an earlier run, such as '
                         f'{old[-1].name}: go on with --resume, choose another --work-dir, or give --overwrite')
