"""Make mmengine load weights by path, address or name through :func:`reading.read`, except for ``mmcls://`` names."""
from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_torchvision_models

from ..config_tree import walk
from ..errors import UsageError, is_first_of_machine
from . import model_zoo, reading

PATIENCE = 60
"""Seconds without data after which a download fails."""


def install() -> None:
    """Make mmengine load weights from local files, addresses and model zoos with the functions of this file.

    They also load safetensors files, and check the hash in a file's name.
    """
    reading.load_weights_only()
    names = tuple(f'{zoo}://' for zoo in (*model_zoo.TORCHVISION, *model_zoo.OPENMMLAB))
    for prefixes, loader in (('', _local), (('http://', 'https://'), _remote), (names, _named)):
        CheckpointLoader.register_scheme(prefixes, loader, force=True)


def forget_pretrained(node: Any) -> None:
    """Remove the pretrained weights from a model's config, because a checkpoint replaces them anyway.

    Args:
        node: the model's config; changed in place at any depth.
    """
    for _, part in walk(node):
        if isinstance(part.get('pretrained'), str):
            part['pretrained'] = None
        if isinstance(part.get('init_cfg'), dict) and is_pretrained(part['init_cfg']):
            part['init_cfg'] = None


def is_pretrained(initialization: dict[str, Any]) -> bool:
    """Return whether an ``init_cfg`` loads weights; its type is a name or, as in Python-style configs, a class.

    Args:
        initialization: the dict.
    """
    return initialization.get('type') in ('Pretrained', PretrainedInit)


def _local(filename: str, map_location: Any = None) -> Any:
    return reading.read(os.path.expanduser(filename), map_location, mapped=False)


def _remote(filename: str, map_location: Any = None) -> Any:
    path = Path(torch.hub.get_dir()) / 'checkpoints' / filename.split('?')[0].rsplit('/', 1)[-1]
    together = dist.is_initialized()
    if not together or is_first_of_machine():
        _fetch(filename, path)
    if together:
        dist.barrier()
    return reading.read(path, map_location, mapped=False)


def _named(filename: str, map_location: Any = None) -> Any:
    """Load weights from mmengine's tables, which do not need torchvision; use torchvision for names they lack."""
    return _remote(model_zoo.address(filename) or get_torchvision_models()[filename.split('://')[1]], map_location)


def _fetch(address: str, path: Path) -> None:
    """Download a checkpoint. Only one that can be read gets its name: a transfer that breaks off is no error."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            torch.hub.download_url_to_file(address, str(part), progress=False)
            reading.read(part)
            part.replace(path)
    except OSError as error:  # URLError is one
        reason = getattr(error, 'reason', error)
        raise UsageError(f'weights {address} could not be fetched ({reason}): fetch them by hand and name the local '
                         'file in init_cfg or load_from') from None
    except UsageError as error:
        raise UsageError(f'weights {address} were fetched and not kept, so that the next run fetches them again: '
                         f'{error}') from None
    finally:
        socket.setdefaulttimeout(before)
