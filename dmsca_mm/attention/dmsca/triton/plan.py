"""How the kernels divide their work, and the bytes that each launch then moves. Pure Python.

The tiles depend on shapes alone, never on the card: the same input gives the same bits on any.
"""
from __future__ import annotations

import math
from typing import NamedTuple

TILE = 1024
"""Elements of a tile of the map: eight for each thread of eight warps, one load of 16-bit numbers."""
TILE_WARPS = 4
WIDEST, WIDEST_LAST, NARROWEST = 256, 64, 32
"""Pixels of a strip, in NCHW and in channels_last, where more channels lie together. Wide strips leave fewer sums to
write; a small map gets narrow ones, to be shared by enough programs."""
PROGRAMS = 512
"""About four for each multiprocessor of a large card."""
CACHED_BYTES = 128 * 1024
"""What a program reads twice: with two programs on each of 132 multiprocessors, 34 MB, which the L2 cache of an A100
(40 MB) or an H100 (50 MB) holds until the second time."""
HELD_CHANNELS, HELD_TILE, HELD_NARROWEST = 1024, 8192, 16
"""Up to so many channels ``apply`` keeps a strip in registers between its dot products and its output."""

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
"""A tile of the folded kernel's gradient, taps of a row × pixels; and about how many programs share that gradient."""
PARTS_TILE = 4096
"""A tile where those programs' parts are added up."""
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


def strips(shape: tuple[int, ...], channels_last: bool, bytes_twice: int = 0) -> Strips:
    """Strips for a kernel.

    Args:
        shape: (N, C, H, W).
        channels_last: X's memory format.
        bytes_twice: what a program reads twice of each element of the map, in bytes.
    """
    n, c, h, w = shape
    width = WIDEST_LAST if channels_last else WIDEST
    while width > NARROWEST and (n * cdiv(h * w, width) < PROGRAMS or width * c * bytes_twice > CACHED_BYTES):
        width //= 2
    return Strips(cdiv(h * w, width), width, min(TILE // width, power_of_2(c)), TILE_WARPS)


def held_strips(shape: tuple[int, ...]) -> Strips:
    """Strips of ``apply`` where a tile has all channels, so that X is read once."""
    _, c, h, w = shape
    channels = power_of_2(c)
    pixels = max(min(HELD_TILE // channels, WIDEST), HELD_NARROWEST)
    return Strips(cdiv(h * w, pixels), pixels, channels, max(4, min(channels * pixels // 1024, 16)))


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
