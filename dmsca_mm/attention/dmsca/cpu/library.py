"""Load the CPU kernels and call them: tensors in, tensors out."""
from __future__ import annotations

import ctypes
import struct
from array import array
from functools import cache, lru_cache

import torch
from torch import Tensor

from ..signature import FIRST_LIST, LISTS, ForwardStats, Parameters
from . import compile_kernels

DTYPES = (torch.float32, torch.bfloat16)
_SIZES = ('batch', 'channels', 'height', 'width', 'hidden', 'branches', 'direction_size', 'channels_last', 'is_bf16',
          'threads')
_POINTERS = ('x', 'dy', 'out', 'scratch', 'kernel_sizes', *(f'stats_{name}' for name in ForwardStats._fields),
             *Parameters._fields, *(f'd_{name}' for name in Parameters._fields))
_CALL = struct.Struct(f'{len(_SIZES)}qd{len(_POINTERS)}Q')
"""``DmscaCall`` of src/call.h: sizes, s, pointers. Filling a ctypes.Structure takes longer than some kernels."""
_DIRECTION = Parameters._fields.index('dii_conv_h_weight') - len(Parameters._fields)
"""Index of ``dii_conv_h_weight`` in ``Parameters.flat``, from the end."""


class LoadError(Exception):
    """The library cannot be used; the message is one line, with the command that builds it.

    Args:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f'{reason}: run "{compile_kernels.COMMAND}"')
        self.reason = reason


def load() -> ctypes.CDLL:
    """Load the library and check that it was built from the sources beside it; a process does so once.

    Raises:
        LoadError: it is missing, truncated, for another machine or built from other sources, or there are no sources.
    """
    found = _loaded()
    if isinstance(found, str):
        raise LoadError(found)
    return found


@cache
def _loaded() -> ctypes.CDLL | str:
    """Return the library, or why it cannot be used. A library built later must not change a training's bits."""
    path = compile_kernels.LIBRARY
    if not path.exists():
        return f'{path.name} is not built'
    try:
        if not compile_kernels.is_complete(path):
            return f'{path.name} is truncated'
        library = ctypes.CDLL(str(path))
        library.dmsca_sources.restype = library.dmsca_variant.restype = ctypes.c_char_p
        library.dmsca_attend.argtypes = library.dmsca_scratch.argtypes = (ctypes.c_char_p, ctypes.c_int)
        library.dmsca_attend.restype, library.dmsca_scratch.restype = None, ctypes.c_int64
        sources, expected = library.dmsca_sources().decode(), compile_kernels.sources_hash()
    except (OSError, AttributeError) as error:
        return f'{path.name} does not load ({error})'
    if sources != expected:
        return f'{path.name} is of another version, built from sources {sources}'
    return library


def not_covered(x: Tensor, parameters: Parameters) -> str | None:
    """Return why the library does not cover this call, or None if it does."""
    if reason := parameters.mismatch(x, DTYPES):
        return reason
    try:
        load()
    except LoadError as error:
        return str(error)
    return None


def attend(x: Tensor, parameters: Parameters, scale: float) -> tuple[Tensor, ForwardStats]:
    """Compute Y and the statistics for backward; see ``rearranged.attend``. X is dense and not empty."""
    n, c, h, w = x.shape
    y, hidden = torch.empty_like(x), len(parameters.gce_fc1_bias)
    stats = ForwardStats(*(x.new_empty(shape, dtype=torch.float32)
                           for shape in ((n, c), (n, c), (n, hidden), (n, c), (n, 2, h, w))))
    _run(x, None, y, stats, _plain(parameters), [], scale)
    return y, stats


def attend_backward(dy: Tensor, x: Tensor, stats: ForwardStats, parameters: Parameters,
                    scale: float) -> tuple[Tensor, Parameters]:
    """Compute dX and the parameters' gradients; see ``rearranged.attend_backward``. dY has X's memory format."""
    dx, flat = torch.empty_like(x), _plain(parameters)
    gradients = [torch.empty_like(tensor) for tensor in flat]
    _run(x, dy, dx, stats, flat, gradients, scale)
    return dx, parameters.nest([
        gradient if gradient.dtype == own.dtype and own.is_contiguous() else torch.empty_like(own).copy_(gradient)
        for gradient, own in zip(gradients, parameters.flat(), strict=True)])


def _plain(parameters: Parameters) -> list[Tensor]:
    """Return the parameters as the kernels read them, contiguous and fp32."""
    return [tensor if tensor.is_contiguous() else tensor.contiguous() for tensor in parameters.to(torch.float32).flat()]


def _run(x: Tensor, dy: Tensor | None, out: Tensor, stats: ForwardStats, parameters: list[Tensor],
         gradients: list[Tensor], scale: float) -> None:
    """Call the library; with dY and tensors for the gradients it runs backward."""
    branches = (len(parameters) - len(Parameters._fields) + len(LISTS)) // len(LISTS)
    kernel_sizes = tuple([weight.shape[2] for weight in parameters[FIRST_LIST:FIRST_LIST + branches]])
    sizes = (*x.shape, stats.hidden.shape[1], branches, parameters[_DIRECTION].shape[2], not x.is_contiguous(),
             x.dtype is torch.bfloat16, torch.get_num_threads())
    floats = _scratch_floats(sizes, kernel_sizes, dy is not None, load().dmsca_variant())
    scratch = torch.empty(floats, dtype=torch.float32)
    kept = array('q', kernel_sizes)
    pointers, arrays = _addresses(parameters, branches)
    d_pointers, d_arrays = _addresses(gradients, branches) if gradients else ([0] * len(Parameters._fields), None)
    load().dmsca_attend(_CALL.pack(
        *sizes, scale, x.data_ptr(), 0 if dy is None else dy.data_ptr(), out.data_ptr(), scratch.data_ptr(),
        kept.buffer_info()[0], *[tensor.data_ptr() for tensor in stats], *pointers, *d_pointers), dy is not None)
    del arrays, d_arrays  # the library reads them until here


@lru_cache(maxsize=4096)
def _scratch_floats(sizes: tuple[int, ...], kernel_sizes: tuple[int, ...], backward: bool, variant: bytes) -> int:
    """Return the scratch memory of a call, in floats; it depends on the variant in use."""
    kept = array('q', kernel_sizes)
    pointers = [kept.buffer_info()[0] if name == 'kernel_sizes' else 0 for name in _POINTERS]
    return load().dmsca_scratch(_CALL.pack(*sizes, 1.0, *pointers), backward)


def _addresses(flat: list[Tensor], branches: int) -> tuple[list[int], tuple[array, array]]:
    """Return the addresses of tensors, in the order of ``Parameters``, and the arrays that hold those of its lists."""
    found, end = [tensor.data_ptr() for tensor in flat], FIRST_LIST + branches
    weights, biases = array('Q', found[FIRST_LIST:end]), array('Q', found[end:end + branches])
    return [*found[:FIRST_LIST], weights.buffer_info()[0], biases.buffer_info()[0], *found[end + branches:]], (
        weights, biases)
