"""How the kernels divide their work. Pure Python.

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


def linear_programs(images: int, inputs: int, outputs: int) -> int:
    """Programs of a fully connected layer."""
    images_at_once, outputs_at_once, _ = linear(images, inputs)
    return cdiv(images, images_at_once) * cdiv(outputs, outputs_at_once)


def outer_programs(outputs: int, inputs: int) -> int:
    """Programs of a fully connected layer's weight gradient."""
    return cdiv(outputs, OUTPUTS) * cdiv(inputs, INPUTS)


def tiles(shape: tuple[int, ...]) -> int:
    """Programs that convolve D, whose shape this is."""
    n, _, h, w = shape
    return n * cdiv(h, TILE_Y) * cdiv(w, TILE_X)


def line_programs(maps: int, height: int, width: int) -> tuple[int, int]:
    """Programs that sum rows, and that sum columns."""
    return maps * cdiv(height, ACROSS), maps * cdiv(width, LINE)


def span(images: int, pixels: int, taps: int) -> tuple[int, int]:
    """How the folded kernel's gradient is shared out: pixels of a program, and how many of them at a time.

    Args:
        images: N.
        pixels: H·W.
        taps: of a row of the folded kernel, a power of two.
    """
    block = TAPS_TILE // taps
    return cdiv(cdiv(images * pixels, SPANS), block) * block, block
