"""Read a config by path or by its name in a library, and put a plugin into it."""
from __future__ import annotations

import inspect
import re
import tempfile
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.lazy import LazyObject
from mmengine.hub import get_config
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from ..compat import requirements
from ..config_tree import backbones, put_plugin, use_plugin_resnet
from ..errors import UsageError
from ..preflight.structure import check_structure

_NOISE = ('pkg_resources is deprecated', ".*'pin_memory' argument is set as true", '``build_loss`` would be deprecated',
          'Default ``avg_non_ignore`` is False', 'faster_coco_eval is not installed')
"""Warnings to ignore: those the libraries emit at every start, and torch's that the CPU has no memory to pin."""


def load_config(name: str, options: dict[str, Any] | None = None, plugin: str | None = None) -> Config:
    """Read a config and put a plugin into it.

    Args:
        name: a path, or ``LIBRARY::NAME`` for a config that a library publishes.
        options: entries that override the config's, with dotted keys.
        plugin: see :func:`~dmsca_mm.plugin_spec.plugins_of`; None keeps the config's plugins.

    Raises:
        UsageError: the config is missing or unreadable or has an invalid entry, a library is missing, or the model
            takes no plugin.
    """
    for message in _NOISE:
        warnings.filterwarnings('ignore', message=message)
    published = re.fullmatch(r'(\w+)::.+', name)
    if published is None and not Path(name).is_file():
        raise UsageError(f'config {name} does not exist: give a path, or LIBRARY::NAME such as '
                         'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    try:
        text = name if published else Path(name).read_text(encoding='utf-8')
    except ValueError as error:
        raise UsageError(f'config {name} is not a text file ({error}): give a config') from None
    try:
        tempfile.gettempdir()  # mmengine copies configs there, and without it fails with an UnboundLocalError
    except FileNotFoundError as error:
        raise UsageError(f'there is no temporary folder to write into ({error}): name one in TMPDIR') from None
    requirements.require(*sorted(set(re.findall(r'(?:^|[\'"])(mm\w+)::', text))))
    try:
        config = get_config(name) if published else Config.fromfile(name)
        if options:
            _refuse_misspelt(options, config)
            config.merge_from_dict(options)
            if any(key.split('.')[0] == 'custom_imports' for key in options):  # mmengine imports only the file's
                import_modules_from_strings(**config.custom_imports)
    except UsageError:
        raise
    except Exception as error:  # a config is a program and may raise anything
        raise UsageError(f'config {name} cannot be read: {type(error).__name__}: {error}') from None
    for backbone in backbones(config):
        # A Python-style config leaves imported names unresolved inside lists.
        if isinstance(backbone.get('plugins'), (list, tuple)):
            backbone['plugins'] = [_resolved(entry) for entry in backbone['plugins']]
    check_structure(config)
    kinds = [str(backbone.get(key)) for backbone in backbones(config) for key in ('type', 'base')]
    named = {config.get('default_scope'), *(kind.split('.')[0] for kind in kinds)}
    requirements.require(*named & {*requirements.LIBRARIES})
    if config.get('data_preprocessor'):  # as mmengine's Runner does; models are also built without one
        config.model.setdefault('data_preprocessor', config.data_preprocessor)
    if config.get('default_scope') == 'mmpretrain':  # as its own tools do; otherwise workers send each image by itself
        for loader in filter(None, map(config.get, ('train_dataloader', 'val_dataloader', 'test_dataloader'))):
            loader.setdefault('collate_fn', dict(type='default_collate'))
    if plugin is not None:
        put_plugin(config, plugin)
    else:
        use_plugin_resnet(config)
    return config


def default_work_dir(name: str) -> Path:
    """Return the default output folder of a config.

    Args:
        name: as for :func:`load_config`.
    """
    return Path('work_dirs') / Path(name.split('::')[-1]).stem


def test_pipeline(config: Config) -> list[dict[str, Any]]:
    """Return the pipeline of the test data set; empty if the config has none.

    Like mmdet's ``get_test_pipeline_cfg``, but for configs of every library, and without mmdet.

    Args:
        config: its test data set may be wrapped, for example by RepeatDataset.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and (inner := dataset.get('dataset') or dataset.get('datasets')):
        dataset = inner[0] if isinstance(inner, (list, tuple)) else inner
    return dataset.get('pipeline') or []


def _refuse_misspelt(options: dict[str, Any], config: Config) -> None:
    """Refuse an option whose first name nothing reads, if it resembles one that is read."""
    read = {*config, *inspect.signature(Runner).parameters, 'auto_scale_lr', 'custom_imports', 'tta_model',
            'tta_pipeline'}
    for option in options:
        first, *_ = option.split('.')
        if first not in read and (close := get_close_matches(first, read, 1, 0.8)):
            raise UsageError(f'--cfg-options {option}: nothing reads {first}; did you mean {close[0]}?')


def _resolved(entry: Any) -> Any:
    return ConfigDict(entry.build()) if isinstance(entry, LazyObject) else entry
