"""Rules for the type of each config entry, checked before the entry is used."""
from __future__ import annotations

import logging
from collections.abc import Callable
from multiprocessing import get_all_start_methods
from typing import Any

from mmengine.config import Config

from ..config_tree import walk
from ..errors import UsageError
from ..plugins import plugin_entries
from .config_parts import dataset_entries

Rule = tuple[str, Callable[[Any], bool]]
"""Description of a valid value, and a predicate that tests one."""


def _or_none(rule: Rule) -> Rule:
    words, holds = rule
    return f'{words} or None', lambda value: value is None or holds(value)


def _whole(lowest: int) -> Rule:
    return (f'an integer of at least {lowest}',
            lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= lowest)


def _is_dict_or_dicts(value: Any) -> bool:
    return all(isinstance(one, dict) for one in (value if isinstance(value, (list, tuple)) else [value]))


def _is_type(value: Any) -> bool:
    return bool(value) if isinstance(value, str) else callable(value)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and _is_type(value.get('type'))


def _is_entries(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(_is_entry(one) for one in value)


DICT: Rule = ('a dict', lambda value: isinstance(value, dict))
ENTRY: Rule = ("a dict with its type, such as dict(type='NAME')", _is_entry)
ENTRIES: Rule = ("a list of dicts with their types, such as [dict(type='NAME')]", _is_entries)
ENTRY_OR_ENTRIES: Rule = (f'{ENTRY[0]}, or a list of such', lambda value: _is_entry(value) or _is_entries(value))
NAME: Rule = ('a string', lambda value: isinstance(value, str))
SWITCH: Rule = ('True or False', lambda value: isinstance(value, bool))
NUMBER: Rule = ('a number', lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))

_DICT_OR_DICTS: Rule = ('a dict, or a list of such', _is_dict_or_dicts)
_SCOPE: Rule = ("the name of a library, such as 'mmdet'", lambda value: isinstance(value, str) and value != '')
_WEIGHTS: Rule = ('a string, True or False', lambda value: isinstance(value, (str, bool)))
_EVALUATOR: Rule = (ENTRY_OR_ENTRIES[0], lambda value: ENTRY_OR_ENTRIES[1](value) or (
    isinstance(value, dict) and 'metrics' in value and ENTRY_OR_ENTRIES[1](value['metrics'])))
_POSITIVE: Rule = ('a number of at least 1', lambda value: NUMBER[1](value) and value >= 1)
_LENGTH: Rule = ('an integer of at least 1', lambda value: _whole(1)[1](
    int(value) if isinstance(value, float) and value.is_integer() else value))  # mmengine takes 1e5
_LEVEL: Rule = ("a level of logging, such as 'INFO'", lambda value: isinstance(value, int) or (
    isinstance(value, str) and isinstance(logging.getLevelName(value), int)))
_SCHEDULERS: Rule = (ENTRY_OR_ENTRIES[0], lambda value: ENTRY_OR_ENTRIES[1](value) or (
    isinstance(value, dict) and 'type' not in value and all(map(ENTRY_OR_ENTRIES[1], value.values()))))

_RANDOMNESS: Rule = ('a dict of seed, deterministic and diff_rank_seed', lambda value: isinstance(value, dict) and (
    {'seed'} <= {*value} <= {'seed', 'deterministic', 'diff_rank_seed'}))
_START: Rule = (f'one of {", ".join(get_all_start_methods())}', lambda value: value in get_all_start_methods())

_SPLITS = ('train', 'val', 'test')
_RULES: dict[str, Rule] = {
    'model': DICT, 'default_scope': _or_none(_SCOPE), 'work_dir': _or_none(NAME), 'load_from': _or_none(NAME),
    'log_level': _LEVEL, 'experiment_name': _or_none(NAME), 'data_preprocessor': _or_none(DICT),
    'optim_wrapper': _or_none(DICT), 'optim_wrapper.optimizer': ENTRY, 'param_scheduler': _or_none(_SCHEDULERS),
    'default_hooks': _or_none(DICT), 'custom_hooks': _or_none(ENTRIES), 'env_cfg': DICT, 'env_cfg.dist_cfg': DICT,
    'env_cfg.mp_cfg': DICT, 'env_cfg.mp_cfg.mp_start_method': _START, 'env_cfg.mp_cfg.opencv_num_threads': _whole(0),
    'env_cfg.dist_cfg.timeout': NUMBER, 'randomness': _RANDOMNESS,
    'randomness.seed': _or_none(_whole(0)), 'randomness.deterministic': SWITCH, 'visualizer': _or_none(ENTRY),
    'visualizer.vis_backends': _or_none(ENTRY_OR_ENTRIES), 'log_processor': _or_none(DICT),
    'auto_scale_lr': _or_none(DICT),
    'auto_scale_lr.base_batch_size': _whole(1), 'auto_scale_lr.enable': SWITCH, 'custom_imports': _or_none(DICT),
    'train_cfg.max_epochs': _LENGTH, 'train_cfg.max_iters': _LENGTH, 'train_cfg.val_interval': _POSITIVE,
    'default_hooks.checkpoint.interval': _whole(-1), 'default_hooks.checkpoint.max_keep_ckpts': _whole(-1),
    'default_hooks.logger.interval': _whole(1), 'model_wrapper_cfg': _or_none(ENTRY),
    **{f'{split}_cfg': _or_none(DICT) for split in _SPLITS},
    **{f'{part}.type': ('a name or a class', _is_type) for part in (
        'train_cfg', 'val_cfg', 'test_cfg', 'log_processor', 'optim_wrapper')},
    **{f'{split}_evaluator': _or_none(_EVALUATOR) for split in _SPLITS[1:]},
    **{f'{split}_dataloader': _or_none(DICT) for split in _SPLITS},
    **{f'{split}_dataloader.{key}': rule for split in _SPLITS for key, rule in (
        ('batch_size', _whole(1)), ('num_workers', _whole(0)), ('persistent_workers', SWITCH), ('dataset', ENTRY),
        ('sampler', ENTRY), ('batch_sampler', _or_none(ENTRY)), ('drop_last', SWITCH), ('pin_memory', SWITCH))}}
"""Rules by path. Missing entries are valid, as the library has defaults."""
_NEEDED = ('dataset', 'sampler')
"""Entries of a data loader without a default."""
_OF_DATA: dict[str, Rule] = {
    'data_root': _or_none(NAME), 'ann_file': _or_none(NAME), 'metainfo': _or_none(DICT), 'pipeline': ENTRIES,
    'data_prefix': ('a dict of strings, or a string', lambda value: value is None or isinstance(value, str) or (
        isinstance(value, dict) and all(isinstance(one, (str, type(None))) for one in value.values())))}
_OF_BACKBONE: dict[str, Rule] = {
    'type': ('a name or a class', _is_type),
    'depth': ('a number or a name', lambda value: isinstance(value, (int, str))),
    'num_stages': _whole(1), 'frozen_stages': _whole(-1), 'pretrained': _or_none(_WEIGHTS),
    'init_cfg': _or_none(_DICT_OR_DICTS)}


def check_structure(config: Config) -> None:
    """Refuse a config with an entry of a type that mmengine or this package cannot use.

    Args:
        config: the config as loaded.

    Raises:
        UsageError: the first such entry, named by its path; a data loader has no data set or sampler; ``plugins`` is
            not a list of plugin dicts.
    """
    for path, rule in _RULES.items():
        *parents, key = path.split('.')
        node: Any = config
        for parent in parents:
            node = node.get(parent) if isinstance(node, (dict, Config)) else None
        if isinstance(node, (dict, Config)) and key in node:
            _check(path, node[key], rule)
    for name, hook in (config.get('default_hooks') or {}).items():
        _check(f'default_hooks.{name}', hook, _or_none(ENTRY))
    for split in _SPLITS:
        loader = config.get(f'{split}_dataloader')
        for key in _NEEDED:
            if loader is not None and key not in loader:
                raise UsageError(f'{split}_dataloader has no {key}: it must be {ENTRY[0]}')
        for path, dataset in dataset_entries((loader or {}).get('dataset'), f'{split}_dataloader.dataset'):
            _check_all(path, dataset, _OF_DATA)
    for path, backbone in walk(config.get('model'), 'model'):
        if path.split('.')[-1] != 'backbone':
            continue
        _check(path, backbone, ENTRY)
        _check_all(path, backbone, _OF_BACKBONE)
        plugin_entries(backbone)


def _check_all(path: str, node: dict[str, Any], rules: dict[str, Rule]) -> None:
    for key, rule in rules.items():
        if key in node:
            _check(f'{path}.{key}', node[key], rule)


def _check(path: str, value: Any, rule: Rule) -> None:
    words, holds = rule
    if not holds(value):
        if isinstance(value, (list, tuple)) and holds([]):
            path, value = next((f'{path}.{place}', one) for place, one in enumerate(value) if not _is_entry(one))
            words = ENTRY[0]
        raise UsageError(f'{path} is {value!r:.80}, and must be {words}')


def check_complete(config: Config, needed: str) -> None:
    """Refuse a config that lacks entries of a run. mmengine requires all three entries of a split or none.

    Args:
        config: a config that passed :func:`check_structure`.
        needed: the split of the run: ``'train'`` or ``'test'``.

    Raises:
        UsageError: the run's split or another split in use lacks an entry; ``train_cfg`` has no type or length.
    """
    for split, third in zip(_SPLITS, ('optim_wrapper', 'val_evaluator', 'test_evaluator'), strict=True):
        keys = (f'{split}_dataloader', f'{split}_cfg', third)
        missing = [key for key in keys if config.get(key) is None]
        if missing and (split == needed or len(missing) < len(keys)):
            raise UsageError(f'the config has no {" and no ".join(missing)}: give all of {", ".join(keys)}'
                             + ('' if split == needed else ', or set all to None'))
    loop = config.get('train_cfg')
    if needed == 'train' and not {'type', 'by_epoch'} & {*loop}:
        raise UsageError(f'train_cfg is {dict(loop)!r:.80} and has no type: write '
                         "dict(type='EpochBasedTrainLoop', max_epochs=...), or IterBasedTrainLoop and max_iters")
    if needed == 'train' and not {'max_epochs', 'max_iters'} & {*loop}:
        raise UsageError(f'train_cfg is {dict(loop)!r:.80} and has no max_epochs and no max_iters: give one of them')
