"""Plugin dicts: the preset ``dmsca``, a function for other arguments, and the table of names that the tools accept.

Importing this module registers DMSCA and its peers in mmengine's root registry, where mmdet, mmseg and every other
OpenMMLab library finds ``type='DMSCA'``.
"""
from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from .attention import DMSCA, PEERS, DMSCAWithout
from .attention.dmsca.ablation import PARTS
from .errors import UsageError
from .presets import dmsca

OWN = (DMSCA, DMSCAWithout, *(peer.operator for peer in PEERS))
for _operator in OWN:
    MODELS.register_module(module=_operator)

POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')


def plugin(stages: Sequence[bool] = dmsca['stages'], position: str = dmsca['position'],
           **operator_arguments: Any) -> dict[str, Any]:
    """Return a plugin dict for ``plugins=[...]`` of an OpenMMLab ResNet.

    Args:
        stages: for each stage of the backbone, whether its blocks get the plugin. The default skips the first stage,
            which detection configs freeze.
        position: ``'after_conv1'``, ``'after_conv2'`` or ``'after_conv3'``, after the convolution's norm.
        **operator_arguments: those of :class:`~dmsca_mm.attention.DMSCA` except ``in_channels``. ``postfix`` is added
            to its module name, to distinguish it from other plugins of its type in a block.

    Raises:
        TypeError: stages is not a sequence of bools; an operator argument is unknown or of a wrong type.
        ValueError: stages is empty, the position is unknown, an operator argument is out of range.

    Source:
        the ``plugins`` argument in mmdet/models/backbones/resnet.py.
    """
    if isinstance(stages, str) or not isinstance(stages, Sequence) or not all(isinstance(s, bool) for s in stages):
        raise TypeError(f'stages must be a sequence of bools, one for each stage, got {stages!r}')
    if not stages:
        raise ValueError('stages must be a sequence of bools, one for each stage, got an empty one')
    if position not in POSITIONS:
        raise ValueError(f'position must be one of {POSITIONS}, got {position!r}')
    check_operator_arguments({key: value for key, value in operator_arguments.items() if key != 'postfix'})
    return dict(cfg=dict(type='DMSCA', **operator_arguments), stages=tuple(stages), position=position)


def check_operator_arguments(arguments: dict[str, Any], operator: type[nn.Module] = DMSCA) -> None:
    """Reject the arguments that an operator's constructor rejects, before any model is built.

    Raises:
        TypeError, ValueError: those of the constructor.
    """
    if 'in_channels' in arguments:
        raise TypeError('in_channels comes from the backbone: leave it out')
    with torch.device('meta'):
        operator(in_channels=64, **arguments)


PLUGINS: dict[str, dict[str, Any] | None] = {
    'dmsca': dmsca,
    **{peer.name: {**dmsca, 'cfg': dict(type=peer.operator.__name__)} for peer in PEERS},
    # As in mmdet's configs/empirical_attention: one attention row per head, linear in the pixels. Initially Y = X.
    'ga': {**dmsca, 'cfg': dict(type='GeneralizedAttention', spatial_range=-1, num_heads=8, attention_type='0010',
                                kv_stride=2)},
    'dmsca_paper': {**dmsca, 'cfg': dict(type='DMSCA', init='paper')},
    **{f'dmsca_without_{part}': {**dmsca, 'cfg': dict(type='DMSCAWithout', without=part)} for part in PARTS},
    'none': None,
}


def plugin_entries(backbone: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the plugin dicts of a backbone.

    Args:
        backbone: its dict.

    Raises:
        UsageError: its plugins are not a list, or one of them names no operator or has stages that are not a list.
    """
    entries = backbone.get('plugins') or []
    if not isinstance(entries, (list, tuple)):
        raise UsageError(f'backbone plugins={entries!r:.80} must be a list: write plugins=[...] around the plugin')
    for entry in entries:
        operator = entry.get('cfg') if isinstance(entry, dict) else None
        if not isinstance(operator, dict) or not (isinstance(operator.get('type'), str)
                                                  or inspect.isclass(operator.get('type'))):
            raise UsageError(f"plugin {entry!r} names no operator: write dict(cfg=dict(type='DMSCA'), stages=..., "
                             "position='after_conv3')")
        stages = entry.get('stages')
        if stages is not None and not (isinstance(stages, (list, tuple)) and all(each in (0, 1) for each in stages)):
            raise UsageError(f'plugin stages {stages!r} must be a list of True and False, one for each stage '
                             'of the backbone')
    return list(entries)


def check_entry(entry: dict[str, Any], kind: str, number: int) -> None:
    """Check one plugin dict against a backbone of class ``kind`` with ``number`` stages."""
    stages = entry.get('stages')
    if stages is not None and len(stages) != number:
        raise UsageError(f'plugin stages {tuple(stages)} has {len(stages)} entries, but the backbone {kind} has '
                         f'{number} stages: give one of True and False for each')
    if entry.get('position') not in POSITIONS:
        raise UsageError(f'plugin position {entry.get("position")!r}: the blocks of {kind} take {", ".join(POSITIONS)}')
    arguments = dict(entry['cfg'])
    named = arguments.pop('type')
    operator = MODELS.get(named) if isinstance(named, str) else named
    if operator in OWN:
        arguments.pop('postfix', None)
        try:
            check_operator_arguments(arguments, operator)
        except (TypeError, ValueError) as error:
            known = [name for name in inspect.signature(operator).parameters if name != 'in_channels']
            takes = f'; it takes {", ".join(known)}' if 'unexpected keyword' in str(error) else ''
            raise UsageError(f'plugin {operator.__name__}: {error}{takes}') from None


def name_apart(entries: Sequence[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Give plugins of one type in the same block distinct postfixes for their module names.

    mmdet and mmseg reject two plugins of one name. The first keeps its name, the second gets the postfix ``2``.

    Args:
        entries: plugin dicts, from :func:`plugin_entries`; one that has a postfix keeps it.
        number: number of stages of the backbone.

    Returns:
        Plugin dicts; those without a conflict are the same objects.

    Raises:
        UsageError: two plugins of one type in a block have the same postfix.
    """
    taken: set[tuple[int, str]] = set()
    result = list(entries)
    for place in sorted(range(len(entries)), key=lambda place: 'postfix' not in entries[place]['cfg']):
        operator = entries[place]['cfg']
        stages = [stage for stage, has in enumerate(entries[place].get('stages') or (True,) * number) if has]
        for postfix in [operator['postfix']] if 'postfix' in operator else ['', *range(2, len(entries) + 2)]:
            names = {(stage, f'{_abbreviation(operator["type"])}{postfix}') for stage in stages}
            if taken.isdisjoint(names):
                break
        else:
            raise UsageError(f'two plugins {operator["type"]} in a block have postfix={operator["postfix"]!r}: give '
                             'one of them another, or none')
        taken |= names
        if postfix != operator.get('postfix', ''):
            result[place] = ConfigDict({**entries[place], 'cfg': {**operator, 'postfix': str(postfix)}})
    return result


def _abbreviation(kind: str | type) -> str:
    """Return the prefix of a plugin's module name."""
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    return getattr(found, '_abbr_', str(kind))
