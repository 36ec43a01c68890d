"""Distributed setup beyond mmengine's: without a GPU, gloo, a wrapper for CPU models and no SyncBN."""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.utils.dl_utils import set_multi_processing

from .. import checkpoint
from ..config_tree import walk
from ..errors import ProcessError, UsageError

_ENVIRONMENT = ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def end_with_launcher() -> None:
    """Send SIGTERM to this process when torchrun dies, even from SIGKILL; otherwise it would keep training.

    torchrun starts each process in its own session, so signals to torchrun's group do not reach it. Linux only.
    """
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        end_with_parent()


def end_with_parent() -> None:
    """Send SIGTERM to this process when its parent dies, even from SIGKILL. Linux only."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


def processes(launcher: str) -> int:
    """Return the number of processes of a job, read from the launcher's environment.

    Args:
        launcher: ``'none'``, ``'pytorch'`` or ``'slurm'``.

    Raises:
        ProcessError: the environment variable is not a number.
    """
    variable = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS'}.get(launcher)
    return _number(variable, '1') if variable else 1


def checks_data(launcher: str) -> bool:
    """Return whether this process checks the data for its machine; the others wait in :func:`prepare`.

    Args:
        launcher: see :func:`processes`.

    Raises:
        ProcessError: the environment variable is not a number.
    """
    variable = {'pytorch': 'LOCAL_RANK', 'slurm': 'SLURM_LOCALID'}.get(launcher)
    return variable is None or _number(variable, '0') == 0


def _number(variable: str, default: str = '') -> int:
    """Return an environment variable as an integer."""
    text = os.environ.get(variable, default)
    if not text.isascii() or not text.isdigit():
        raise ProcessError(f'environment variable {variable}={text} is not an integer: start with '
                           'tools/dist_train.sh, tools/dist_test.sh or their Slurm counterparts, which set it')
    return int(text)


def prepare(config: Config) -> None:
    """Initialize the process group before any process writes; without CUDA, also adapt the model's wrapper and norms.

    The other processes wait here while one process of each machine checks the data. If that check fails, the launcher
    ends all processes. Without CUDA the backend is gloo. mmengine's ``init_dist`` always sets a CUDA device, and the
    Runner skips it if a process group exists. With the launcher ``'none'`` this function does nothing.

    Args:
        config: with ``launcher`` set; changed in place.

    Raises:
        UsageError: the launcher's environment variables are missing.
        ProcessError: a variable is not a number, or the processes cannot connect.
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
    seconds = settings.get('timeout')
    try:
        if torch.cuda.is_available():
            # As the Runner does, in its order, but before it makes folders.
            set_multi_processing(**(config.get('env_cfg') or {}).get('mp_cfg', {}), distributed=True)
            _check_gpu()
            init_dist(config.launcher, **{'backend': 'nccl', **settings})
            dist.barrier()
            return
        dist.init_process_group('gloo', timeout=seconds and timedelta(seconds=seconds))
    except (ValueError, RuntimeError) as error:
        raise ProcessError(f'process {os.environ["RANK"]} cannot connect to the others at {os.environ["MASTER_ADDR"]}:'
                           f'{os.environ["MASTER_PORT"]} ({" ".join(str(error).split())[:200]}): check that the '
                           'address is that of the first node and that the port is free there') from error
    wrapper = config.get('model_wrapper_cfg') or {}
    defaults = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
                    find_unused_parameters=config.get('find_unused_parameters', False))
    config.model_wrapper_cfg = {**defaults, **wrapper}
    replace_sync_batch_norm(config.model)


def _check_gpu() -> None:
    """Refuse a process whose GPU is not visible to it, as with Slurm's ``--gpus-per-task=1``."""
    local, visible = _number('LOCAL_RANK', '0'), torch.cuda.device_count()
    if local >= visible:
        raise ProcessError(f'process {os.environ["RANK"]} takes GPU {local} of its machine and sees {visible}: let '
                           'each process see all of them, in Slurm with --gres=gpu:N in place of --gpus-per-task')


def check_same_beginning(begun: str | None) -> None:
    """Refuse processes that would begin at different checkpoints, as on machines without a common work directory.

    Args:
        begun: the checkpoint that this process resumes from; None to begin anew.

    Raises:
        ProcessError: the first process has another one.
    """
    if not dist.is_initialized():
        return
    own = begun or 'no checkpoint'
    if begun and '://' not in begun:
        own = f'{Path(begun).name} (iteration {checkpoint.read(begun)["meta"]["iter"]})'
    every = [''] * dist.get_world_size()
    dist.all_gather_object(every, own)
    if own != every[0]:
        raise ProcessError(f'process {dist.get_rank()} would resume from {own}, process 0 from {every[0]}: copy the '
                           'work directory of the first machine to the others, or use a common one')


def replace_sync_batch_norm(node: Any) -> None:
    """Replace every SyncBN in a model's config by BN, in place: SyncBN runs on CUDA only.

    ``mmengine.model.revert_sync_batchnorm`` cannot be used: it converts a built model, and the Runner builds and wraps
    the model in one step.
    """
    for _, part in walk(node):
        if part.get('type') == 'SyncBN':
            part['type'] = 'BN'


def environment_from_slurm(config: Config) -> None:
    """Set torch's environment variables from Slurm's, as mmengine does for GPUs."""
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
            raise UsageError(f'scontrol cannot list the hosts of this Slurm job ({error}): set MASTER_ADDR to the '
                             'first host') from None
        os.environ['MASTER_ADDR'] = hosts.split()[0]
