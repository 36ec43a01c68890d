"""Record the bytes that each launch of a forward and a backward reads and writes in Triton's interpreter."""
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from stages import Case
from triton.runtime.interpreter import InterpreterBuilder

from dmsca_mm.attention.dmsca.triton import gate_stages, launcher, map_stages, passes


class Launch(NamedTuple):
    """Addresses of elements, once for each load or store, and the number of distinct bytes."""

    name: str
    loaded: np.ndarray
    stored: np.ndarray
    read_bytes: int
    written_bytes: int


def record(shape, channels_last, **arguments):
    """Return the launches in order."""
    launches, loads, stores = [], [], []
    load, store = InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store

    def recorded_load(builder, pointers, mask, *rest):
        loads.append(_addresses(pointers, mask))
        return load(builder, pointers, mask, *rest)

    def recorded_store(builder, pointers, value, mask, *rest):
        stores.append(_addresses(pointers, mask))
        return store(builder, pointers, value, mask, *rest)

    def recorded_launch(kernel, *rest, **options):
        loads.clear()
        stores.clear()
        launcher.launch(kernel, *rest, **options)
        launches.append(Launch(kernel.__name__, *(np.concatenate([addresses for addresses, _ in kind])
                                                  for kind in (loads, stores)), _bytes(loads), _bytes(stores)))

    case = Case(shape, 'cpu', channels_last=channels_last, **arguments)
    with patch.object(InterpreterBuilder, 'create_masked_load', recorded_load), \
            patch.object(InterpreterBuilder, 'create_masked_store', recorded_store), \
            patch.object(map_stages, 'launch', recorded_launch), patch.object(gate_stages, 'launch', recorded_launch):
        _, stats = passes.attend(case.x, case.parameters, case.scale)
        passes.attend_backward(case.dy, case.x, stats, case.parameters, case.scale)
    return launches


def _addresses(pointers, mask):
    """Return the addresses of the elements that the mask selects, and the bytes of an element."""
    found, mask = np.broadcast_arrays(pointers.data, mask.data)
    return found[mask], pointers.get_element_ty().primitive_bitwidth // 8


def _bytes(kind):
    sizes = {size for _, size in kind}
    return sum(size * len(np.unique(np.concatenate([found for found, own in kind if own == size]))) for size in sizes)
