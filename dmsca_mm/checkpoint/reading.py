"""Load checkpoints with ``weights_only=True``; only the types that a training run stores are allowed."""
from __future__ import annotations

import hashlib
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ..errors import UsageError

_STATISTICS = {name: getattr(HistoryBuffer, name) for name in ('min', 'max', 'mean', 'current')}


def _history_statistic(owner: object, name: str) -> Any:
    """Replace ``getattr`` while a checkpoint is read; return only the statistics of a HistoryBuffer.

    HistoryBuffer pickles these four methods through ``builtins.getattr``. The real getattr would expose every
    attribute of every allowed class to a malicious file.
    """
    if owner is HistoryBuffer and name in _STATISTICS:
        return _STATISTICS[name]
    raise pickle.UnpicklingError(f'builtins.getattr({owner!r}, {name!r}) is not allowed in a checkpoint')


def allow_training_state() -> None:
    """Let weights-only loading accept mmengine's training state: HistoryBuffer and plain numeric numpy arrays.

    Nothing else is allowed beyond torch's own list. torch before 2.6 does not load weights only by default and is left
    unchanged.
    """
    if torch.__version__ < (2, 6):
        return
    multiarray = np._core.multiarray if hasattr(np, '_core') else np.core.multiarray
    numeric = {type(np.dtype(code)) for code in '?bhilqBHILQefd'}
    torch.serialization.add_safe_globals([
        HistoryBuffer, (_history_statistic, 'builtins.getattr'), np.ndarray, np.dtype, *numeric,
        # numpy 1 and numpy 2 store these two under different module names.
        *((function, f'{module}.{function.__name__}')
          for function in (multiarray._reconstruct, multiarray.scalar)
          for module in ('numpy.core.multiarray', 'numpy._core.multiarray')),
    ])


def load_weights_only() -> None:
    """Restrict every later ``torch.load`` in this process, whoever calls it, to weights and training state."""
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    os.environ.pop('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None)
    allow_training_state()


def read(path: str | Path, map_location: Any = 'cpu', mapped: bool = True) -> Any:
    """Return the content of a checkpoint.

    Args:
        path: a local file written by ``torch.save``, or a ``.safetensors`` file, which becomes a state_dict.
        map_location: as for ``torch.load``; tensors of a safetensors file go to the CPU.
        mapped: memory-map the file, so that tensors stay on the disk until they are used.

    Raises:
        UsageError: the file does not exist, is truncated or not a checkpoint, does not match the hash in its name, or
            holds more than weights and training state. Nothing in it is executed.
    """
    load_weights_only()
    path = Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f'checkpoint {path} does not exist: give the path of a .pth or .safetensors file')
    _check_hash(path)
    try:
        if path.suffix == '.safetensors':
            return dict(state_dict=_safetensors(path))
        content = torch.load(path, map_location=map_location, weights_only=True,
                             mmap=mapped and zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if 'Unsupported operand' in str(error):  # not a pickle
            raise UsageError(_broken(path, error)) from None
        raise UsageError(f'checkpoint {path} holds more than weights and training state and was not loaded: '
                         f'{_culprit(error)}. Use one saved as plain weights') from None
    except (UsageError, PermissionError):
        raise
    except Exception as error:  # on an invalid pickle the reader may raise anything
        raise UsageError(_broken(path, error)) from None
    if not isinstance(content, dict):
        raise UsageError(f'checkpoint {path} holds a {type(content).__name__}, not a dict of weights by name: use one '
                         'written by a training run')
    if isinstance(content.get('meta'), dict):
        content['meta'].pop('config', None)  # from old mmcv: mmengine would execute this text on resume
    return content


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise UsageError(f'{path} needs the package safetensors: pip install safetensors') from None
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(error) from None


def _check_hash(path: Path) -> None:
    """Compare the start of a file's SHA-256 with the hash in its name, as in ``resnet50-0676ba61.pth``."""
    named = re.search(r'-([0-9a-f]{8,64})\.\w+$', path.name)
    if named is None or named[1].isdecimal():  # digits alone are a date or a time
        return
    found = sha256(path)
    if not found.startswith(named[1]):
        raise UsageError(f'checkpoint {path} is not what its name says: its SHA-256 begins with '
                         f'{found[:len(named[1])]}, not {named[1]}; fetch it again, or rename it if you changed it')


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Args:
        path: a local file.
    """
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(2 ** 20):
            digest.update(block)
    return digest.hexdigest()


def seed(path: str | Path) -> int:
    """Return the seed of the run that wrote a checkpoint; a resumed run must use it.

    Args:
        path: a local file.

    Raises:
        UsageError: as :func:`read`; or the checkpoint has no training state.
    """
    content = read(path)
    missing = [key for key in ('meta', 'optimizer', 'message_hub') if key not in content]
    if not missing:
        missing = [f'meta.{key}' for key in ('seed', 'iter', 'epoch') if key not in content['meta']]
    if missing:
        raise UsageError(f'checkpoint {path} holds no training state to resume (no {missing[0]}): start a new run '
                         f'from its weights with --cfg-options load_from={path}')
    return content['meta']['seed']


def _broken(path: Path, error: Exception) -> str:
    return (f'checkpoint {path} ({path.stat().st_size} bytes) is cut short or is no checkpoint '
            f'({str(error).splitlines()[0] if str(error) else type(error).__name__}): use an earlier one')


def _culprit(error: Exception) -> str:
    """Return the line of torch's long message that names the rejected object."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.search('GLOBAL|Can only build|reduce|not allowed', line)]
    return (named or lines)[0].split(' was not an allowed')[0]
