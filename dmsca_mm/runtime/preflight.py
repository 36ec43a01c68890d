"""What can be known to be wrong before a run starts, said before anything is written."""
from __future__ import annotations

import json
import os.path as osp
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..attention import DMSCA
from ..errors import UsageError
from ..plugin import backbones, check_operator_arguments, check_takes_plugins
from . import checkpoint

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
        UsageError: a folder or annotation file that is missing or empty, or an annotation file that is not COCO's JSON;
            the message names the file and where to get it.
    """
    seen: set[Path] = set()
    for loader in loaders:
        for dataset in _datasets((config.get(loader) or {}).get('dataset')):
            root = dataset.get('data_root') or ''
            if '://' in root or _is_remote(dataset.get('backend_args')):
                continue
            for folder in (dataset.get('data_prefix') or {}).values():
                _once(seen, Path(osp.join(root, folder or '')), _check_folder, root, loader)
            if dataset.get('ann_file'):
                _once(seen, Path(osp.join(root, dataset['ann_file'])), _check_annotations, root, loader)


def _once(seen: set[Path], path: Path, check: Any, root: str, loader: str) -> None:
    if path not in seen:
        seen.add(path)
        check(path, root, loader)


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


def _check_folder(path: Path, root: str, loader: str) -> None:
    if not path.is_dir():
        raise UsageError(f'{loader}: folder {path} does not exist; {_source(root)}')
    if next(path.iterdir(), None) is None:
        raise UsageError(f'{loader}: folder {path} is empty; {_source(root)}')


def _check_annotations(path: Path, root: str, loader: str) -> None:
    if not path.is_file():
        raise UsageError(f'{loader}: annotation file {path} does not exist; {_source(root)}')
    if path.suffix != '.json':
        return
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f'{loader}: annotation file {path} is not JSON ({error}); {_source(root)}') from None
    if not isinstance(content, dict) or not content.get('images'):
        raise UsageError(f'{loader}: annotation file {path} lists no images; {_source(root)}')


def _source(root: str) -> str:
    for word, how in _SOURCES.items():
        if word in root.lower():
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
