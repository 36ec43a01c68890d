"""Divide the work of the kernels. Pure Python.

Tiles depend on shape, type and memory format only, never on the GPU: the same input gives the same bits on any GPU.
"""
from __future__ import annotations

import math
from typing import NamedTuple

TILE_BYTES = 4096
"""Bytes of a tile of X: two loads of sixteen bytes for each thread of four warps."""
SUMS_TILE, SUMS_PIXELS = 1024, 64
"""Elements of a tile of ``apply_backward``, which keeps seven sums for each element in registers. In NCHW a tile has
twice as many if a strip has at most SUMS_PIXELS pixels."""
TILE_WARPS = 4
WIDEST, WIDEST_LAST, NARROWEST = 128, 64, 16
"""Most pixels of a strip in NCHW; most in channels_last, where more channels are contiguous; fewest. Wide strips write
fewer sums; a small map gets narrow strips, so that enough programs share it."""
CHUNK_WIDEST, CHUNK_NARROWEST = 256, 64
"""Most and fewest pixels of a strip of ``input_gradient``, whose programs also divide the channels."""
PROGRAMS, PROGRAMS_LAST = 512, 256
"""Target of programs: about four a multiprocessor of a large GPU; two in channels_last, as narrow strips cost more."""
CACHED_BYTES = 128 * 1024
"""Most bytes that a program reads twice. Registers allow three such programs on a multiprocessor: 42 MB on an A100 and
52 MB on an H100, about the size of their L2 caches, 40 and 50 MB. The second time reads in reverse."""
HELD_CHANNELS, HELD_TILE, HELD_OF_A_WARP = 2048, 8192, 2048
"""Most channels with which ``apply`` keeps a strip in registers between its dot products and its output; elements of
such a strip; elements of a warp."""
HELD_WIDEST, HELD_NARROWEST = 64, 16
"""Most and fewest pixels of such a strip."""

LINE, ACROSS = 64, 8
"""Tile for sums of rows or columns: along contiguous memory and across it. LINE is also the block of long vectors."""
TILE_Y, TILE_X = 8, 32
"""Pixels of a program that convolves D."""
STRIPS, CHANNELS = 64, 16
"""Tile for adding up the sums of strips."""
OUTPUTS, INPUTS = 16, 64
"""Tile of a fully connected layer's weight gradient."""
VECTOR = 1024
"""Entries at a time when one program sums a vector."""
PRODUCT, INPUTS_AT_ONCE, IMAGES_AT_ONCE = 4096, 256, 4
"""Tile of a fully connected layer: elements, images × outputs × inputs; most inputs; most images."""
TAPS_TILE, SPANS = 2048, 512
"""Tile of a convolution's gradient, taps × pixels; target number of programs for the folded kernel's gradient."""
PARTS_TILE = 4096
"""Elements of a tile when one program adds up the parts of the folded kernel's gradient."""
SLOTS = 4
"""Scales that one launch folds or unfolds; every four more take another launch forward and two backward."""


class Strips(NamedTuple):
    """Division of the maps among programs: each processes a strip of pixels of one map, tile by tile."""

    count: int  # strips of a map
    pixels: int  # of a strip
    channels: int  # of a tile
    warps: int


def cdiv(a: int, b: int) -> int:
    """Return the quotient, rounded up."""
    return -(-a // b)


def power_of_2(size: int) -> int:
    """Return the smallest power of two that is at least ``size``."""
    return 1 << (size - 1).bit_length()


def strips(shape: tuple[int, ...], channels_last: bool, tile: int, bytes_twice: int = 0) -> Strips:
    """Return the strips of a kernel.

    Args:
        shape: (N, C, H, W).
        channels_last: X's memory format.
        tile: elements of a tile.
        bytes_twice: bytes that a program reads twice for each element of the map.
    """
    n, c, h, w = shape
    width, programs = (WIDEST_LAST, PROGRAMS_LAST) if channels_last else (WIDEST, PROGRAMS)
    while width > NARROWEST and (n * cdiv(h * w, width) < programs or width * c * bytes_twice > CACHED_BYTES):
        width //= 2
    return _tiled(shape, width, tile)


def summed_strips(shape: tuple[int, ...], channels_last: bool, itemsize: int) -> Strips:
    """Return the strips of ``apply_backward``.

    Args:
        shape, channels_last: as for :func:`strips`.
        itemsize: bytes of an element of X.
    """
    found = strips(shape, channels_last, SUMS_TILE, 2 * itemsize)
    return found if channels_last or found.pixels > SUMS_PIXELS else _tiled(shape, found.pixels, 2 * SUMS_TILE)


def chunks(shape: tuple[int, ...], channels_last: bool, tile: int) -> tuple[Strips, int]:
    """Return the strips of ``input_gradient``, which sums nothing, and the number of channels of a program.

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
    """Return the strips of ``apply`` for tiles with all channels, so that X is read once."""
    _, c, h, w = shape
    channels = power_of_2(c)
    pixels = max(min(HELD_TILE // channels, HELD_WIDEST), HELD_NARROWEST)
    return Strips(cdiv(h * w, pixels), pixels, channels, max(4, channels * pixels // HELD_OF_A_WARP))


def group(pixels: int) -> int:
    """Return the largest power of two, up to 16, that divides the number of pixels of a map."""
    return math.gcd(pixels, 16)


def linear(images: int, inputs: int) -> tuple[int, int, int]:
    """Return the tile of a fully connected layer: images, outputs and inputs."""
    n, i = min(power_of_2(images), IMAGES_AT_ONCE), min(power_of_2(inputs), INPUTS_AT_ONCE)
    return n, min(PRODUCT // (n * i), LINE), i


def linear_programs(images: int, inputs: int, outputs: int) -> int:
    """Return the number of programs of a fully connected layer."""
    images_at_once, outputs_at_once, _ = linear(images, inputs)
    return cdiv(images, images_at_once) * cdiv(outputs, outputs_at_once)


def outer_programs(outputs: int, inputs: int) -> int:
    """Return the number of programs of a fully connected layer's weight gradient."""
    return cdiv(outputs, OUTPUTS) * cdiv(inputs, INPUTS)


def tiles(shape: tuple[int, ...]) -> int:
    """Return the number of programs that convolve D; ``shape`` is that of D."""
    n, _, h, w = shape
    return n * cdiv(h, TILE_Y) * cdiv(w, TILE_X)


def line_programs(maps: int, height: int, width: int) -> tuple[int, int]:
    """Return the number of programs that sum rows and the number that sum columns."""
    return maps * cdiv(height, ACROSS), maps * cdiv(width, LINE)


def span(images: int, pixels: int, taps: int) -> tuple[int, int]:
    """Divide the folded kernel's gradient: return the pixels of a program and the pixels of one of its tiles.

    Args:
        images: N.
        pixels: H·W.
        taps: length of a row of the folded kernel, rounded up to a power of two.
    """
    block = TAPS_TILE // taps
    return cdiv(cdiv(images * pixels, SPANS), block) * block, block
