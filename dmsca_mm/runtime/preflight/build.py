"""What mmengine builds from a config only when a run has begun, built once without one."""
from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, init_default_scope
from mmengine.visualization import Visualizer
from torch import nn

from .. import failures


def check_build(config: Config) -> nn.Module:
    """Build the model, its optimizer, the steps of every pipeline and the hooks.

    Args:
        config: an OpenMMLab config; nothing of it is written or read from the disk.

    Returns:
        The model, untrained.

    Raises:
        UsageError: a part that is registered nowhere or whose arguments are wrong.
    """
    config = copy.deepcopy(config)  # mmdet writes into what it builds
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    Visualizer.get_instance('check_build')  # hooks that draw ask for one
    with failures.told():
        model = MODELS.build(config.model)
        if config.get('optim_wrapper'):
            build_optim_wrapper(model, config.optim_wrapper)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            for step in _steps(config.get(loader)):
                TRANSFORMS.build(step)
        for hook in [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]:
            if hook is not None:
                HOOKS.build(hook)
    return model


def _steps(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield from node.get('pipeline') or ()
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _steps(value)
