"""Labels of pixels that a segmenter leaves out, as its config has them, and labels that its losses cannot take."""
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
"""What mmseg makes of a label zero that is reduced and of a class that metainfo.classes leaves out, and what its heads,
metrics and padding leave out where the config gives no other label."""
_HEADS = ('decode_head', 'auxiliary_head', 'kernel_generate_head')
_OF_BOUNDARIES = 'STDCHead'
"""A head that makes its own target of the label map."""


def ignored_labels(config: Config) -> tuple[int, ...]:
    """The labels that are of no class in the label maps of a segmenter's data.

    Args:
        config: an OpenMMLab config.
    """
    return tuple(dict.fromkeys((UNLABELLED, *_ignored(config).values())))


def check_labels(config: Config, labels: dict[int, str], classes: int, reduce_zero_label: bool, loader: str
                 ) -> list[str]:
    """Compare labels of the training data with what the losses of each head take, those of other data with the metrics.

    Args:
        config: an OpenMMLab config of a segmenter.
        labels: those that label maps hold, as mmseg reads them, each with a file that holds it.
        classes: how many the data have.
        reduce_zero_label: whether label 0 is of no class and the others count from 1.
        loader: the key of the data loader that reads the maps.

    Returns:
        Warnings of labels that are counted as wrong, or trained on as none of the classes.

    Raises:
        UsageError: a label on which the training would end, with the head whose loss fails on it.
    """
    found = []
    for label, path in labels.items():
        fault = (f'{loader}: label map {path} holds label {label}{" as it is read" if reduce_zero_label else ""}, and '
                f'{classes} classes with reduce_zero_label={reduce_zero_label} go to {classes - 1}')
        if loader.startswith('train'):
            found += _check_training(config, label, fault)
        elif label >= classes:
            found += [f'{fault}: {where}, which ignores {ignored}, counts these pixels as wrong; set its '
                      f'ignore_index={label}' for where, ignored in _metrics(config, loader) if ignored != label]
    return found


def check_agreement(config: Config) -> list[str]:
    """Warnings of an ignored label that is given in one place of a segmenter's config and not in another.

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
    found = [f'{first}.ignore_index is {expected} and that of {where} is {ignored}: pixels of one are left out here '
             'and counted there; give both the same' for where, ignored in dict(places).items() if ignored != expected]
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
                             'on it; give both the same')
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
    """The ignored label of each head that has one: None is for losses that know of none."""
    found = {where: head.get('ignore_index', UNLABELLED) for where, head in _heads_of(config)}
    return {where: label for where, label in found.items() if label is not None}


def _failing(head: dict[str, Any], label: int, scope: str | None) -> str | None:
    """The loss of a head that cannot be computed on this label, which is found by computing it."""
    losses = head.get('loss_decode') or dict(type='CrossEntropyLoss')
    for loss in losses if isinstance(losses, (list, tuple)) else [losses]:
        if not _computes(head, loss, label, scope) and _computes(head, loss, 0, scope):
            return name_of(loss)
    return None


def _computes(head: dict[str, Any], loss: dict[str, Any], label: int, scope: str | None) -> bool:
    channels = head.get('out_channels') or head['num_classes'] + ('loss_cls' in head)  # these have one of no object
    logits = torch.zeros(1, channels, 1, 2)
    try:
        with MODELS.switch_scope_and_registry(scope) as registry:
            built = registry.build(dict(loss))
        known = inspect.signature(built.forward).parameters
        ignoring = dict(ignore_index=head.get('ignore_index', UNLABELLED))
        built(logits, torch.tensor([[[0, label]]]), **(ignoring if {'ignore_index', 'kwargs'} & set(known) else {}))
    except Exception:  # whatever a loss raises: it is asked twice, and this tells the label's part in it
        return False
    return True


def _metrics(config: Config, loader: str) -> list[tuple[str, int]]:
    """The metrics that leave a label out, of the evaluator of a data loader."""
    return [(loader.replace('dataloader', 'evaluator'), metric.get('ignore_index', UNLABELLED))
            for metric in metrics(config, loader) if name_of(metric) == 'IoUMetric' or 'ignore_index' in metric]


def _padding(config: Config) -> Iterator[tuple[str, int]]:
    """What training fills label maps with, and where that is set."""
    preprocessor = (config.get('model') or {}).get('data_preprocessor') or {}
    if preprocessor.get('size') or preprocessor.get('size_divisor'):
        yield 'model.data_preprocessor', preprocessor.get('seg_pad_val', UNLABELLED)
    for dataset in datasets(config.get('train_dataloader')):
        for step in dataset.get('pipeline') or ():
            if isinstance(step, dict) and name_of(step) == 'RandomRotate':
                yield 'RandomRotate of train_dataloader', step.get('seg_pad_val', UNLABELLED)
