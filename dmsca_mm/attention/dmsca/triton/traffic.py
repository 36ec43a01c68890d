"""The bytes that each launch moves, computed from its plan. Pure Python."""
from __future__ import annotations

import math
from typing import NamedTuple

from .plan import HELD_CHANNELS, TILE_BYTES, cdiv, power_of_2, span, strips, summed_strips


class Traffic(NamedTuple):
    """Distinct bytes that one launch reads and writes, and those that its programs read a second time."""

    launch: str  # the stage's name
    reads: int
    writes: int
    rereads: int  # from the cache, if it still holds them; of the map only


def floor(shape: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """Return the minimum bytes to move: forward X twice and Y, backward X and dY twice and dX.

    The gates need the complete pools over pixels, and Y and dX need the gates: hence two reads.
    """
    map_bytes = math.prod(shape) * itemsize
    return 3 * map_bytes, 5 * map_bytes


def traffic(shape: tuple[int, ...], itemsize: int, parameter_itemsize: int = 4, channels_last: bool = False,
            reduction: int = 16, kernel_sizes: tuple[int, ...] = (3, 5, 7),
            direction: int = 7) -> tuple[list[Traffic], list[Traffic]]:
    """Compute, without measuring, what each launch of forward and backward moves, for up to four scales.

    Args:
        shape: of X, (N, C, H, W).
        itemsize: bytes of an element of X.
        parameter_itemsize: bytes of an element of a parameter.
        channels_last: X's memory format.
        reduction, kernel_sizes, direction: arguments of the module, with its defaults.
    """
    n, c, h, w = shape
    pixels, lines, units = h * w, h + w, max(c // reduction, 4)
    large = math.prod(shape) * itemsize
    largest, scales = max(kernel_sizes), len(kernel_sizes)
    convolutions = sum(2 * size ** 2 + 1 for size in kernel_sizes)
    folded, directions, linear_weight = 2 * largest ** 2 + 1, 2 * (2 * direction + 1), c * units
    blend = 3 * c + 2
    forward_strips = n * strips(shape, channels_last, TILE_BYTES // itemsize).count
    backward_strips = n * summed_strips(shape, channels_last, itemsize).count
    parts = n * cdiv(pixels, span(n, pixels, power_of_2(largest))[0]) * 2 * largest ** 2
    held = c <= HELD_CHANNELS

    def entry(name: str, reads: tuple[int, int, int], writes: tuple[int, int, int], rereads: int = 0) -> Traffic:
        """Take reads and writes as bytes of maps, number of small fp32 entries, and number of parameters' entries."""
        return Traffic(name, *(maps + 4 * small + parameter_itemsize * own for maps, small, own in (reads, writes)),
                       rereads)

    d = 2 * n * pixels  # D's entries
    forward = [
        entry('reduce_forward', (large, 0, 2 * c), (0, 2 * d + 2 * forward_strips * c, 0)),
        entry('pools_means_fold', (0, 2 * forward_strips * c + d, convolutions + scales + 1),
              (0, 2 * n * c + 2 * n * lines + folded, 0)),
        entry('hidden_spatial', (0, n * c + d + 2 * n * lines + folded, linear_weight + units + directions + 1),
              (0, n * units + n * pixels, 0)),
        entry('channel_gate', (0, n * units, linear_weight + c + 1), (0, n * c, 0)),
        entry('apply', (large, n * c + n * pixels + d, 2 * c + 2), (large, 0, 0), 0 if held else large)]
    backward = [
        entry('means_fold', (0, d, convolutions + scales + 1), (0, 2 * n * lines + folded, 0)),
        entry('spatial_gate', (0, d + 2 * n * lines + folded, directions + 1), (0, n * pixels, 0)),
        entry('apply_backward', (2 * large, 2 * n * c + 2 * n * pixels, blend),
              (0, 8 * n * pixels + backward_strips * (5 * c + 2), 0), 2 * large),
        entry('gates_backward',
              (0, backward_strips * (5 * c + 2) + n * c + n * pixels + d + 2 * n * lines, directions + 2),
              (0, 5 * n * c + n * lines + 2 * n * h + parts, 2)),
        entry('parameters_layers_backward',
              (0, n * pixels + 4 * n * c + n * lines + 2 * n * h + parts + 2 * n * lines + folded - 1 + n * units,
               linear_weight + convolutions + scales + 4 * direction),
              (0, n * units + d, linear_weight + c + 3 * c + convolutions + scales + 2 + directions)),
        entry('pooled_fc1_backward', (0, 2 * n * units + 2 * n * c, linear_weight + c + 1),
              (0, n * c, linear_weight + units + 1)),
        entry('input_gradient', (2 * large, 4 * n * c + n * pixels + d + 7 * n * pixels, 3 * c), (large, 0, 0))]
    return forward, backward
