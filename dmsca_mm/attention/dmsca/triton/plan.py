"""How the kernels divide their work, and the bytes that each launch then moves. Pure Python.

The tiles depend on shapes alone, never on the card: the same input gives the same bits on any.
"""
from __future__ import annotations

import math
from typing import NamedTuple

TILE_BYTES = 4096
"""Of a tile of X: two loads of sixteen bytes for each thread of four warps."""
SUMS_TILE, SUMS_PIXELS = 1024, 64
"""Elements of a tile of ``apply_backward``, which keeps seven sums for each of them in registers; twice as many in NCHW
where a strip has at most so many pixels."""
TILE_WARPS = 4
WIDEST, WIDEST_LAST, NARROWEST = 128, 64, 16
"""Pixels of a strip, in NCHW and in channels_last, where more channels lie together. Wide strips leave fewer sums to
write; a small map gets narrow ones, to be shared by enough programs."""
CHUNK_WIDEST, CHUNK_NARROWEST = 256, 64
"""Pixels of a strip of ``input_gradient``, whose programs share the channels, too."""
PROGRAMS, PROGRAMS_LAST = 512, 256
"""About four for each multiprocessor of a large card, and in channels_last, where narrow strips cost more, two."""
CACHED_BYTES = 128 * 1024
"""What a program reads twice. Registers allow three such programs on a multiprocessor, 42 MB on an A100 and 52 MB on an
H100: about their L2 caches of 40 and 50 MB; the second time goes backwards, from what was read last."""
HELD_CHANNELS, HELD_TILE, HELD_OF_A_WARP = 2048, 8192, 2048
"""Up to so many channels ``apply`` keeps a strip in registers between its dot products and its output: the elements of
the strip, and those of a warp."""
HELD_WIDEST, HELD_NARROWEST = 64, 16
"""Pixels of such a strip."""

LINE, ACROSS = 64, 8
"""A tile where rows or columns are summed: along the memory and across it; also a block of a long vector."""
TILE_Y, TILE_X = 8, 32
"""Pixels of a program where D is convolved."""
STRIPS, CHANNELS = 64, 16
"""A tile where the sums of strips are put together."""
OUTPUTS, INPUTS = 16, 64
"""A tile of a fully connected layer's weight gradient."""
VECTOR = 1024
"""Entries at a time where one program sums a vector."""
PRODUCT, INPUTS_AT_ONCE, IMAGES_AT_ONCE = 4096, 256, 4
"""A tile of a fully connected layer, images × outputs × inputs."""
TAPS_TILE, SPANS = 2048, 512
"""A tile of a convolution's gradient, taps × pixels; and about how many programs give a part of the folded kernel's."""
PARTS_TILE = 4096
"""A tile where one program adds up those parts."""
SLOTS = 4
"""Scales that one launch folds or unfolds; each four more cost a launch forward and two backward."""


class Strips(NamedTuple):
    """How a kernel goes over the maps: a program takes a strip of pixels of one map through all its channels."""

    count: int  # of a map
    pixels: int  # of a strip
    channels: int  # of a tile
    warps: int


def cdiv(a: int, b: int) -> int:
    """Quotient, rounded up."""
    return -(-a // b)


def power_of_2(size: int) -> int:
    """The smallest power of two that is at least ``size``."""
    return 1 << (size - 1).bit_length()


def strips(shape: tuple[int, ...], channels_last: bool, tile: int, bytes_twice: int = 0) -> Strips:
    """Strips for a kernel.

    Args:
        shape: (N, C, H, W).
        channels_last: X's memory format.
        tile: elements of a tile.
        bytes_twice: what a program reads twice of each element of the map, in bytes.
    """
    n, c, h, w = shape
    width, programs = (WIDEST_LAST, PROGRAMS_LAST) if channels_last else (WIDEST, PROGRAMS)
    while width > NARROWEST and (n * cdiv(h * w, width) < programs or width * c * bytes_twice > CACHED_BYTES):
        width //= 2
    return _tiled(shape, width, tile)


def summed_strips(shape: tuple[int, ...], channels_last: bool, itemsize: int) -> Strips:
    """Strips of ``apply_backward``.

    Args:
        shape, channels_last: as for :func:`strips`.
        itemsize: bytes of an element of X.
    """
    found = strips(shape, channels_last, SUMS_TILE, 2 * itemsize)
    return found if channels_last or found.pixels > SUMS_PIXELS else _tiled(shape, found.pixels, 2 * SUMS_TILE)


def chunks(shape: tuple[int, ...], channels_last: bool, tile: int) -> tuple[Strips, int]:
    """Strips of ``input_gradient``, which sums nothing, and the channels that one program takes.

    Args:
        shape, channels_last, tile: as for :func:`strips`.
    """
    n, c, h, w = shape
    width = WIDEST_LAST if channels_last else CHUNK_WIDEST
    while width > CHUNK_NARROWEST and n * cdiv(h * w, width) < PROGRAMS:
        width //= 2
    found, channels = _tiled(shape, width, tile), power_of_2(c)
    while channels > found.channels and n * found.count * cdiv(c, channels) < PROGRAMS:
        channels //= 2
    return found, channels


def _tiled(shape: tuple[int, ...], width: int, tile: int) -> Strips:
    return Strips(cdiv(shape[2] * shape[3], width), width, min(tile // width, power_of_2(shape[1])), TILE_WARPS)


def held_strips(shape: tuple[int, ...]) -> Strips:
    """Strips of ``apply`` where a tile has all channels, so that X is read once."""
    _, c, h, w = shape
    channels = power_of_2(c)
    pixels = max(min(HELD_TILE // channels, HELD_WIDEST), HELD_NARROWEST)
    return Strips(cdiv(h * w, pixels), pixels, channels, max(4, channels * pixels // HELD_OF_A_WARP))


def group(pixels: int) -> int:
    """The largest power of two, up to 16, that divides the pixels of a map."""
    return math.gcd(pixels, 16)


def linear(images: int, inputs: int) -> tuple[int, int, int]:
    """The tile of a fully connected layer: images, outputs and inputs at a time."""
    n, i = min(power_of_2(images), IMAGES_AT_ONCE), min(power_of_2(inputs), INPUTS_AT_ONCE)
    return n, min(PRODUCT // (n * i), LINE), i


def span(images: int, pixels: int, taps: int) -> tuple[int, int]:
    """How the folded kernel's gradient is shared out: pixels of a program, and how many of them at a time.

    Args:
        images: N.
        pixels: H·W.
        taps: of a row of the folded kernel, a power of two.
    """
    block = TAPS_TILE // taps
    return cdiv(cdiv(images * pixels, SPANS), block) * block, block


class Traffic(NamedTuple):
    """Distinct bytes that one launch reads and writes, and those that its programs read a second time."""

    launch: str  # the stage's name
    reads: int
    writes: int
    rereads: int  # out of the cache, if it still holds them; of the map alone


def floor(shape: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """The bytes that no implementation can save, forward and backward: X twice and Y; X and dY twice and dX.

    The pools over pixels must be complete before the gates are known, and these before Y or dX: hence two reads.
    """
    map_bytes = math.prod(shape) * itemsize
    return 3 * map_bytes, 5 * map_bytes


def traffic(shape: tuple[int, ...], itemsize: int, parameter_itemsize: int = 4, channels_last: bool = False,
            reduction: int = 16, kernel_sizes: tuple[int, ...] = (3, 5, 7),
            direction: int = 7) -> tuple[list[Traffic], list[Traffic]]:
    """What each launch of a forward and of a backward moves, for up to four scales; computed, not measured.

    Args:
        shape: of X, (N, C, H, W).
        itemsize: bytes of an element of X.
        parameter_itemsize: bytes of an element of a parameter.
        channels_last: X's memory format.
        reduction, kernel_sizes, direction: of the module, whose defaults these are.
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
        """Reads and writes as bytes of maps, numbers of small entries in fp32, and numbers of parameters' entries."""
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
