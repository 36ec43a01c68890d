"""What several processes need beyond mmengine: without a GPU gloo, a wrapper for CPU models and no SyncBN."""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist

from ..config_tree import walk
from ..errors import ProcessError, UsageError

_ENVIRONMENT = ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')


_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def end_with_launcher() -> None:
    """Have this process get SIGTERM when its launcher dies, even killed: otherwise it would train on alone.

    torchrun starts its processes in sessions of their own; no signal to its group reaches them. Linux only.
    """
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        end_with_parent()


def end_with_parent() -> None:
    """Have this process get SIGTERM when its parent dies, even killed. Linux only."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


def processes(launcher: str) -> int:
    """How many processes a job has, from the launcher's environment.

    Args:
        launcher: ``'none'``, ``'pytorch'`` or ``'slurm'``.

    Raises:
        ProcessError: the variable holds no number.
    """
    variable = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS'}.get(launcher)
    return _number(variable, '1') if variable else 1


def checks_data(launcher: str) -> bool:
    """Whether this process is the one of its machine that checks the data; the others wait in :func:`prepare`.

    Args:
        launcher: see :func:`processes`.

    Raises:
        ProcessError: the variable holds no number.
    """
    variable = {'pytorch': 'LOCAL_RANK', 'slurm': 'SLURM_LOCALID'}.get(launcher)
    return variable is None or _number(variable, '0') == 0


def _number(variable: str, default: str = '') -> int:
    """An integer of the environment."""
    text = os.environ.get(variable, default)
    if not text.isascii() or not text.isdigit():
        raise ProcessError(f'{variable}={text} of the environment is no integer: start with tools/dist_train.sh, '
                           'tools/dist_test.sh or their Slurm counterparts, which set it')
    return int(text)


def prepare(config: Config) -> None:
    """Have the processes meet, before any of them writes; without CUDA adapt the model's wrapper and norms.

    The meeting is what the others wait in while one process of each machine checks the data: where it refuses them, its
    launcher ends all. Without CUDA the processes meet with gloo: mmengine's launcher always sets a CUDA device, and a
    process group that exists already keeps it from trying. One process is left alone.

    Args:
        config: with ``launcher`` set; changed in place.

    Raises:
        UsageError: the launcher's environment variables are missing.
        ProcessError: one that must be a number is none, or the processes cannot meet.
    """
    if config.launcher == 'none':
        return
    settings = (config.get('env_cfg') or {}).get('dist_cfg') or {}
    if config.launcher == 'slurm':
        environment_from_slurm(config)
    missing = [name for name in _ENVIRONMENT if name not in os.environ]
    if missing:
        raise UsageError(f'--launcher {config.launcher} needs {", ".join(missing)} in the environment: start with '
                         'tools/dist_train.sh, tools/dist_test.sh or their Slurm counterparts')
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_PORT'):
        _number(name)
    if torch.cuda.is_available():
        init_dist(config.launcher, **{'backend': 'nccl', **settings})  # as the Runner does, which makes folders first
        dist.barrier()
        return
    seconds = settings.get('timeout')
    try:
        dist.init_process_group('gloo', timeout=seconds and timedelta(seconds=seconds))
    except (ValueError, RuntimeError) as error:
        raise ProcessError(f'process {os.environ["RANK"]} cannot meet the others at {os.environ["MASTER_ADDR"]}:'
                           f'{os.environ["MASTER_PORT"]} ({" ".join(str(error).split())[:200]}): see that the address '
                           'is that of the first node and the port is free there') from error
    wrapper = config.get('model_wrapper_cfg') or {}
    defaults = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
                    find_unused_parameters=config.get('find_unused_parameters', False))
    config.model_wrapper_cfg = {**defaults, **wrapper}
    replace_sync_batch_norm(config.model)


def replace_sync_batch_norm(node: Any) -> None:
    """Turn every SyncBN of a model's config into BN, in place: SyncBN runs on CUDA only.

    ``mmengine.model.revert_sync_batchnorm`` converts a model that is built; the Runner builds and wraps it
    in one step.
    """
    for _, part in walk(node):
        if part.get('type') == 'SyncBN':
            part['type'] = 'BN'


def environment_from_slurm(config: Config) -> None:
    """torch's variables from Slurm's, as mmengine derives them for GPUs."""
    needed = ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST')
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise UsageError(f'--launcher slurm needs {", ".join(missing)} in the environment: start with '
                         'tools/slurm_train.sh or tools/slurm_test.sh')
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    os.environ['LOCAL_RANK'] = os.environ.get('SLURM_LOCALID', '0')
    port = config.get('env_cfg', {}).get('dist_cfg', {}).get('port', 29500)
    os.environ.setdefault('MASTER_PORT', str(port))
    if 'MASTER_ADDR' not in os.environ:
        try:
            hosts = subprocess.run(['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']], capture_output=True,
                               text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f'the hosts of this Slurm job cannot be asked for ({error}): set MASTER_ADDR to the first '
                             'of them') from None
        os.environ['MASTER_ADDR'] = hosts.split()[0]
