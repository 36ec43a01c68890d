"""Prepare a checkpoint for publication: weights and metadata, with a hash in the file name."""
from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import UsageError
from . import reading
from .writing import write_atomically

KEPT = ('meta', 'state_dict')
"""Entries of a checkpoint that a model needs; the rest is training state."""
HASH_DIGITS = 8


def publish(weights: str | Path, out: str | Path, kept: Sequence[str] = KEPT) -> Path:
    """Write a checkpoint's weights without the optimizer, the schedule and the history.

    A ``.pth`` file also keeps ``meta``, with the class names and the config. A ``.safetensors`` file holds only the
    weights. The same content gives the same file.

    Args:
        weights: path of a checkpoint.
        out: path of the new file. The first digits of its SHA-256 are added before the suffix, as in
            ``resnet50-0676ba61.pth``, and checked whenever the file is read.
        kept: entries that a ``.pth`` file keeps, if the checkpoint has them; it always keeps ``state_dict``.

    Returns:
        The path with the hash.

    Raises:
        UsageError: the checkpoint cannot be read or holds no weights, the suffix is another one, or the disk is full.
    """
    out = Path(out)
    if out.suffix not in ('.pth', '.safetensors'):
        raise UsageError(f'{out} must end in .pth or .safetensors, which selects the format')
    content = reading.read(weights)
    state = content.get('state_dict', content)
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f'checkpoint {weights} holds no weights: expected a state_dict of tensors')
    # Copy: saving a view would save its whole storage.
    state = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
             for name, tensor in state.items()}
    if out.suffix == '.safetensors':
        raw = _as_safetensors(state)
    else:
        raw = _as_pth({**{key: content[key] for key in kept if key in content}, 'state_dict': state})
    named = out.with_name(f'{out.stem}-{hashlib.sha256(raw).hexdigest()[:HASH_DIGITS]}{out.suffix}')
    write_atomically(raw, named, remedy='publish again')
    return named


def _as_pth(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _as_safetensors(state: dict[str, torch.Tensor]) -> bytes:
    try:
        from safetensors.torch import save
    except ImportError:
        raise UsageError('writing .safetensors needs the package safetensors: pip install safetensors') from None
    return save(state)
