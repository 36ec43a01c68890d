"""Classes of the data sets, compared with those of the heads."""
from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from ..errors import UsageError
from .config_parts import heads, registered

_HEADS = ('bbox_head', 'mask_head', 'decode_head', 'head')
"""Heads that predict the classes of the data; others, such as rpn_head, have classes of their own."""


def classes_of(dataset: dict[str, Any], scope: str | None) -> tuple[str, ...] | None:
    """Return the class names in a data set's config, else those of its class; None if neither has any.

    Args:
        dataset: its config.
        scope: the library that resolves type names without a prefix; the config's ``default_scope``.

    Raises:
        UsageError: the names are a string that is no file.
    """
    named = named_classes(dataset)
    if isinstance(named, str) and not Path(named).is_file():
        raise UsageError(f'classes={named!r} is neither a sequence nor a file with one: write classes=({named!r}, ), '
                         'with a comma')
    if isinstance(named, (list, tuple)):
        return tuple(named)
    return own_classes(dataset, scope) if named is None else None


def named_classes(dataset: dict[str, Any]) -> Any:
    """Return the classes in a data set's config, a sequence or a file name; None if it has none."""
    return (dataset.get('metainfo') or {}).get('classes', dataset.get('classes'))


def own_classes(dataset: dict[str, Any], scope: str | None) -> tuple[str, ...] | None:
    """Return the class names that a data set's class defines.

    Args:
        dataset: its config.
        scope: see :func:`classes_of`.
    """
    return (getattr(data_set_class(dataset, scope), 'METAINFO', None) or {}).get('classes')


def reduces_zero_label(dataset: dict[str, Any], scope: str | None) -> bool:
    """Return whether a data set of label maps ignores label 0 and counts its classes from 1.

    Args:
        dataset: its config, whose own value comes first, then that of its pipeline, then the default of its class.
        scope: see :func:`classes_of`.
    """
    steps = [step for step in dataset.get('pipeline') or () if isinstance(step, dict)]
    for settings in (dataset, *steps):
        if settings.get('reduce_zero_label') is not None:
            return bool(settings['reduce_zero_label'])
    return argument_of(dataset, 'reduce_zero_label', scope) is True


def argument_of(dataset: dict[str, Any], name: str, scope: str | None) -> Any:
    """Return the value of a data set's argument, else the default of its class; None if there is neither.

    Args:
        dataset: its config.
        name: name of the argument.
        scope: see :func:`classes_of`.
    """
    kind = data_set_class(dataset, scope)
    default = inspect.signature(kind).parameters.get(name) if inspect.isclass(kind) else None
    has_one = default is not None and default.default is not inspect.Parameter.empty
    return dataset.get(name, default.default if has_one else None)


def data_set_class(dataset: dict[str, Any], scope: str | None) -> Any:
    """Return the class of a data set.

    Args:
        dataset: its config.
        scope: see :func:`classes_of`.

    Raises:
        UsageError: the class is not registered.
    """
    return registered(dataset.get('type'), 'dataset', DATASETS, scope)


def check_heads(config: Config, classes: int, loader: str) -> list[str]:
    """Compare the number of classes of the heads with that of the data.

    Args:
        config: an OpenMMLab config.
        classes: number of classes of a data set.
        loader: the key of its data loader in the config.

    Returns:
        Warnings about heads with more classes than the data.

    Raises:
        UsageError: a head has fewer classes than the data.
    """
    found = []
    for path, head in heads(config, _HEADS):
        number = head['num_classes']
        if head.get('class_agnostic'):
            continue
        fault = f'{path}.num_classes is {number}, the data of {loader} have {classes} classes'
        if number < classes:
            raise UsageError(f'{fault}: set it to {classes}, or name fewer in metainfo.classes')
        if number > classes:
            found.append(f'{fault}: the others are never trained; set it to {classes}')
    return found
