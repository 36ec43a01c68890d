"""Ignored labels in the config of a segmenter, and labels that its losses cannot handle."""
from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from ..errors import UsageError
from .config_parts import datasets, heads, metrics, name_of

UNLABELLED = 255
"""Label that mmseg assigns to a reduced label 0 and to classes missing from metainfo.classes, and the default of
``ignore_index`` in its heads and metrics and of ``seg_pad_val``."""
_HEADS = ('decode_head', 'auxiliary_head', 'kernel_generate_head')
_OF_BOUNDARIES = 'STDCHead'
"""A head that is not checked, as it derives its own target from the label map."""


def ignored_labels(config: Config) -> tuple[int, ...]:
    """Return the labels that belong to no class in the label maps of a segmenter.

    Args:
        config: an OpenMMLab config.
    """
    return tuple(dict.fromkeys((UNLABELLED, *_ignored(config).values())))


def check_labels(config: Config, labels: dict[int, str], classes: int, reduce_zero_label: bool, loader: str
                 ) -> list[str]:
    """Check training labels against the losses of each head, and other labels against the metrics.

    Args:
        config: an OpenMMLab config of a segmenter.
        labels: labels found in the label maps as mmseg reads them, each with a file that contains it.
        classes: number of classes in the data.
        reduce_zero_label: whether label 0 belongs to no class and the classes count from 1.
        loader: the key of the data loader that reads the maps.

    Returns:
        Warnings about labels that the metrics count as wrong, or that are trained on as none of the classes.

    Raises:
        UsageError: a head's loss fails on a label, which would end the training.
    """
    found = []
    for label, path in labels.items():
        fault = (f'{loader}: label map {path} holds label {label}{" after loading" if reduce_zero_label else ""}, and '
                f'{classes} classes with reduce_zero_label={reduce_zero_label} go to {classes - 1}')
        if loader.startswith('train'):
            found += _check_training(config, label, fault)
        elif label >= classes:
            found += [f'{fault}: {where}, which ignores {ignored}, counts these pixels as wrong; set its '
                      f'ignore_index={label}' for where, ignored in _metrics(config, loader) if ignored != label]
    return found


def check_agreement(config: Config) -> list[str]:
    """Return warnings about ignored labels that differ between parts of a segmenter's config.

    Args:
        config: an OpenMMLab config.
    """
    of_heads = _ignored(config)
    if not of_heads:
        return []
    (first, expected), *rest = of_heads.items()
    places = list(rest)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        places += [(f'{loader}.dataset', dataset['ignore_index']) for dataset in datasets(config.get(loader))
                   if 'ignore_index' in dataset]
        places += _metrics(config, loader)
    found = [f'{first}.ignore_index is {expected} and that of {where} is {ignored}: one ignores pixels that '
             'the other counts; use the same in both' for where, ignored in dict(places).items() if ignored != expected]
    scope = config.get('default_scope')
    for where, padded in _padding(config):
        if padded != expected and any(_failing(head, padded, scope) for _, head in _heads_of(config)):
            found.append(f'{where}.seg_pad_val is {padded}, and {first} ignores {expected}: an image that has to be '
                         f'padded would end the training; set seg_pad_val={expected}')
    return found


def _check_training(config: Config, label: int, fault: str) -> list[str]:
    found = []
    for where, head in _heads_of(config):
        ignored = head.get('ignore_index', UNLABELLED)
        if label < head['num_classes']:
            continue
        loss = _failing(head, label, config.get('default_scope'))
        if loss and ignored == label:
            raise UsageError(f'{fault}: {where} ignores it, and its {loss} has an ignored label of its own and fails '
                             'on it; use the same in both')
        if loss:
            raise UsageError(f'{fault}: {where} has {head["num_classes"]} classes and ignore_index={ignored}, and its '
                             f'{loss} fails on it; set ignore_index={label} in every head, data set and evaluator '
                             'if it is to be ignored, else check metainfo.classes, num_classes and reduce_zero_label')
        if ignored != label:
            found.append(f'{fault}: {where}, which ignores {ignored}, trains on these pixels as none of its classes; '
                         f'set its ignore_index={label} if they are to be ignored')
    return found


def _heads_of(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, head in heads(config, _HEADS):
        if name_of(head) != _OF_BOUNDARIES:
            yield where, head


def _ignored(config: Config) -> dict[str, int]:
    """Return the ignored label of each head that has one; with ``ignore_index=None`` its losses ignore none."""
    found = {where: head.get('ignore_index', UNLABELLED) for where, head in _heads_of(config)}
    return {where: label for where, label in found.items() if label is not None}


def _failing(head: dict[str, Any], label: int, scope: str | None) -> str | None:
    """Return the name of the first loss of a head that fails on a label, found by computing it; None if none does."""
    losses = head.get('loss_decode') or dict(type='CrossEntropyLoss')
    for loss in losses if isinstance(losses, (list, tuple)) else [losses]:
        if not _computes(head, loss, label, scope) and _computes(head, loss, 0, scope):
            return name_of(loss)
    return None


def _computes(head: dict[str, Any], loss: dict[str, Any], label: int, scope: str | None) -> bool:
    channels = head.get('out_channels') or head['num_classes'] + ('loss_cls' in head)  # loss_cls adds a no-object class
    logits = torch.zeros(1, channels, 1, 2)
    try:
        with MODELS.switch_scope_and_registry(scope) as registry:
            built = registry.build(dict(loss))
        known = inspect.signature(built.forward).parameters
        ignoring = dict(ignore_index=head.get('ignore_index', UNLABELLED))
        built(logits, torch.tensor([[[0, label]]]), **(ignoring if {'ignore_index', 'kwargs'} & set(known) else {}))
    except Exception:  # a loss may raise anything; the caller repeats the call with label 0 to rule out other causes
        return False
    return True


def _metrics(config: Config, loader: str) -> list[tuple[str, int]]:
    """Return the evaluator's key and the ignored label for each metric of a data loader that ignores one."""
    return [(loader.replace('dataloader', 'evaluator'), metric.get('ignore_index', UNLABELLED))
            for metric in metrics(config, loader) if name_of(metric) == 'IoUMetric' or 'ignore_index' in metric]


def _padding(config: Config) -> Iterator[tuple[str, int]]:
    """Yield where training pads label maps, and the padding value."""
    preprocessor = (config.get('model') or {}).get('data_preprocessor') or {}
    if preprocessor.get('size') or preprocessor.get('size_divisor'):
        yield 'model.data_preprocessor', preprocessor.get('seg_pad_val', UNLABELLED)
    for dataset in datasets(config.get('train_dataloader')):
        for step in dataset.get('pipeline') or ():
            if isinstance(step, dict) and name_of(step) == 'RandomRotate':
                yield 'RandomRotate of train_dataloader', step.get('seg_pad_val', UNLABELLED)
