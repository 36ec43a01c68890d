"""Check for settings that conflict with each other or the machine."""
from __future__ import annotations

import os

import torch
from mmengine.config import Config
from mmengine.registry import OPTIMIZERS

from ..errors import UsageError
from .config_parts import name_of


def check_settings(config: Config) -> None:
    """Refuse settings that would end a run in its first iteration.

    Args:
        config: an OpenMMLab config for training.

    Raises:
        UsageError: an unknown optimizer; mixed precision without a GPU; deterministic algorithms on a GPU without
            ``CUBLAS_WORKSPACE_CONFIG``.
    """
    optimizer = ((config.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    with OPTIMIZERS.switch_scope_and_registry(config.get('default_scope')) as registry:
        is_known = not isinstance(optimizer, str) or registry.get(optimizer) is not None
    if not is_known:
        raise UsageError(f'optimizer {optimizer!r} is registered nowhere: check optim_wrapper.optimizer.type')
    kind = _kind(config)
    if kind == 'AmpOptimWrapper' and not torch.cuda.is_available():
        raise UsageError('optim_wrapper AmpOptimWrapper (--amp) needs a GPU: leave it out on the CPU')
    deterministic = (config.get('randomness') or {}).get('deterministic')
    if deterministic and torch.cuda.is_available() and 'CUBLAS_WORKSPACE_CONFIG' not in os.environ:
        raise UsageError('randomness.deterministic on a GPU needs CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment')


def advice(config: Config, processes: int | None) -> list[str]:
    """Return warnings about valid settings with unexpected effects.

    Args:
        config: an OpenMMLab config for training.
        processes: number of processes in the job; None if unknown.
    """
    found = []
    if (config.get('randomness') or {}).get('deterministic') and (config.get('env_cfg') or {}).get('cudnn_benchmark'):
        found.append('randomness.deterministic switches env_cfg.cudnn_benchmark off: set one of them to False')
    scale = config.get('auto_scale_lr') or {}
    size = (config.get('train_dataloader') or {}).get('batch_size')
    base = scale.get('base_batch_size')
    accumulated = (config.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    if size and base and processes and not scale.get('enable') and processes * size * accumulated != base:
        batches = f' and {accumulated} batches' if accumulated > 1 else ''
        scaling = '' if accumulated > 1 else 'give --auto-scale-lr, or '  # mmengine's scaling ignores accumulation
        found.append(f'the learning rate is meant for {base} images a step, and this run has '
                     f'{processes * size * accumulated} ({processes} process(es) of {size}{batches}): {scaling}set '
                     'optim_wrapper.optimizer.lr yourself')
    return found


def switch_on_amp(config: Config) -> None:
    """Replace a config's OptimWrapper with mmengine's AmpOptimWrapper, for mixed precision.

    Args:
        config: changed in place.

    Raises:
        UsageError: the wrapper is neither OptimWrapper nor AmpOptimWrapper.
    """
    if _kind(config) not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UsageError(f'--amp replaces OptimWrapper, but the config has {_kind(config)}: set mixed '
                         'precision in optim_wrapper itself')
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _kind(config: Config) -> str:
    return name_of({'type': 'OptimWrapper', **(config.get('optim_wrapper') or {})})
