"""Find heads, data sets and metrics in a config, and resolve their type names."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from ..config_tree import walk
from ..errors import UsageError

FOLDERS = ('output_dir', 'outfile_prefix', 'save_dir')
"""Arguments of metrics that name folders, which some metrics create in their constructor."""


def registered(kind: Any, path: str, registry: Registry, scope: str | None) -> Any:
    """Return the class or function registered under a name.

    Args:
        kind: a name, with or without its library; anything else is returned unchanged.
        path: path of the entry in the config, for the error.
        registry: the registry to search.
        scope: the library that resolves names without a prefix; the config's ``default_scope``.

    Raises:
        UsageError: the name is not registered.
    """
    if not isinstance(kind, str):
        return kind
    with registry.switch_scope_and_registry(scope) as scoped:
        found = scoped.get(kind)
    if found is None:
        way = 'check its name, and custom_imports if it is your own' if scope else (
            f"the config sets no default_scope, such as 'mmdet': set it, or name the library, as in 'mmdet.{kind}'")
        raise UsageError(f'{path}: {kind!r} is registered nowhere: {way}')
    return found


def stands_for(kind: Any, wanted: type) -> bool:
    """Return whether a type in a config is a class, given as itself or by name, with or without its library.

    Args:
        kind: the type in the config.
        wanted: the class.
    """
    names = kind.split('.') if isinstance(kind, str) else ('',)
    return kind is wanted or (names[-1] == wanted.__name__
                              and names[0] in (wanted.__name__, wanted.__module__.split('.')[0]))


def heads(config: Config, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and config of every head of a model that has ``num_classes``.

    Args:
        config: an OpenMMLab config.
        names: keys that hold a head or a list of heads.
    """
    for where, part in walk(config.get('model'), 'model'):
        keys = [key for key in where.split('.')[1:] if not key.isdecimal()]
        if keys[-1:] and keys[-1] in names and isinstance(part.get('num_classes'), int):
            yield where, part


def dataset_entries(node: Any, path: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and config of every data set, including wrappers such as RepeatDataset and ConcatDataset.

    Args:
        node: the config of a data loader, or of one or several data sets; if it is a dict, it is yielded too.
        path: path of ``node`` in the config.
    """
    for where, part in walk(node, path):
        if {key for key in where.removeprefix(path).split('.') if not key.isdecimal()} <= {'', 'dataset', 'datasets'}:
            yield where, part


def datasets(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the config of every data set that has data of its own, excluding wrappers.

    Args:
        node: as for :func:`dataset_entries`.
    """
    for _, part in dataset_entries(node):
        if not {'ann_file', 'data_prefix', 'data_root'}.isdisjoint(part):
            yield part


def is_remote(dataset: dict[str, Any]) -> bool:
    """Return whether a data set, or a part of it, is on another machine.

    Args:
        dataset: its config.
    """
    backend = (dataset.get('backend_args') or {}).get('backend', 'local')
    prefix = dataset.get('data_prefix')
    prefixes = prefix.values() if isinstance(prefix, dict) else [prefix]
    places = [dataset.get('data_root'), dataset.get('ann_file'), *prefixes]
    return backend != 'local' or any('://' in place for place in places if isinstance(place, str))


def metrics(config: Config, loader: str) -> list[dict[str, Any]]:
    """Return the metrics of the evaluator that belongs to a data loader.

    Args:
        config: an OpenMMLab config.
        loader: the key of the data loader, such as ``'val_dataloader'``.
    """
    evaluator = config.get(loader.replace('dataloader', 'evaluator')) or []
    if isinstance(evaluator, dict):
        evaluator = evaluator.get('metrics', evaluator)
    return [metric for metric in (evaluator if isinstance(evaluator, (list, tuple)) else [evaluator])
            if isinstance(metric, dict)]


def name_of(part: dict[str, Any]) -> str:
    """Return the name of a part's type without its library, even if the config holds the class itself.

    Args:
        part: its config.
    """
    kind = part.get('type')
    return getattr(kind, '__name__', str(kind)).split('.')[-1]
