"""Compare the models of two runs: reject a different network, report any other difference."""
from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from ...errors import UsageError
from ...failures import readable_errors
from .differences import Difference, differences
from .training import HOLDS

_WEIGHTS = 'no effect, the weights come from the checkpoint'
_ANOTHER = 'plugins', 'cfg', 'position', 'init'
"""Keys of a plugin that change its function but not its tensors, so that comparing tensors does not detect it."""


def compare_network(old: Any, new: Any, config: Config, weights: dict[str, Tensor]) -> Iterator[str]:
    """Compare two models' configs and, if they differ, their tensors.

    Args:
        old: model of the earlier run, as returned by :func:`~dmsca_mm.checkpoint.stored_config.parse`.
        new: model of this run, likewise.
        config: config of this run.
        weights: state_dict of the checkpoint.

    Yields:
        A line for each difference.

    Raises:
        UsageError: a plugin differs, or a tensor of the checkpoint is missing, unexpected or of another shape.
    """
    found = [one for one in differences(old, new, 'model') if not _is_the_default(one)]
    for one in found:
        if _of_plugin(one) and one.path.rsplit('.', 1)[-1] in _ANOTHER:
            raise UsageError(f'{one}, which is a different attention')
    if found:
        _compare_tensors(', '.join(map(str, found)), config, weights)
    for one in found:
        yield f'{one}: {_meaning(one)}'


def _compare_tensors(found: str, config: Config, weights: dict[str, Tensor]) -> None:
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmengine'), readable_errors():
        here = MODELS.build(copy.deepcopy(config.model)).state_dict()
    there = {name.removeprefix('module.'): value for name, value in weights.items()}
    for name in dict.fromkeys((*there, *here)):
        shapes = [tuple(tensors[name].shape) if name in tensors else 'missing' for tensors in (there, here)]
        if shapes[0] != shapes[1]:
            raise UsageError(f'{found}, which is a different network: {name} is {shapes[0]} there and {shapes[1]} here')


def _of_plugin(found: Difference) -> bool:
    return 'plugins' in found.path.split('.')


def _is_the_default(found: Difference) -> bool:
    """Return whether a plugin's ``init`` differs only because one config leaves it at its default."""
    return _of_plugin(found) and found.path.endswith('.init') and (
        (found.old or 'identity') == (found.new or 'identity'))


def _meaning(found: Difference) -> str:
    keys = found.path.split('.')
    if _of_plugin(found) and keys[-1] == 'form':
        return 'the same function, equal to rounding'
    if 'init_cfg' in keys or keys[-1] == 'pretrained' or (_of_plugin(found) and keys[-1] == 'temperature'):
        return _WEIGHTS
    if 'test_cfg' in keys:
        return 'it changes what is found in images, not what is trained'
    return HOLDS
