"""The division of work among programs."""
import subprocess
import sys

import pytest

from dmsca_mm.attention.dmsca.triton import plan


def test_planning_needs_neither_torch_nor_triton():
    code = ('import importlib.util, sys; spec = importlib.util.spec_from_file_location("plan", sys.argv[1]); '
            'plan = importlib.util.module_from_spec(spec); sys.modules["plan"] = plan; spec.loader.exec_module(plan); '
            'plan.strips((2, 8, 4, 4), False, 1024); assert not {"torch", "triton"} & set(sys.modules)')
    subprocess.run([sys.executable, '-c', code, plan.__file__], check=True)


@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (2, 256, 200, 336), (3, 2048, 7, 7), (1, 5000, 1, 3)])
@pytest.mark.parametrize('channels_last', [False, True])
def test_strips_cover_the_map_with_tiles_that_fit(shape, channels_last):
    wide, narrow = plan.strips(shape, channels_last, 2048), plan.summed_strips(shape, channels_last, 4)
    chunks, channels = plan.chunks(shape, channels_last, 2048)
    for strips in (wide, narrow, chunks, plan.held_strips(shape)):
        pixels = shape[2] * shape[3]
        assert (strips.count - 1) * strips.pixels < pixels <= strips.count * strips.pixels
        assert strips.channels & (strips.channels - 1) == strips.pixels & (strips.pixels - 1) == 0
    assert plan.held_strips(shape).channels >= shape[1]
    assert narrow.pixels == plan.NARROWEST or narrow.pixels * shape[1] * 8 <= plan.CACHED_BYTES
    assert channels % chunks.channels == 0


@pytest.mark.parametrize('shape', [(2, 1024, 50, 84), (2, 2048, 25, 42), (1, 2048, 25, 42)])
def test_programs_share_the_channels_of_small_maps(shape):
    strips, channels = plan.chunks(shape, False, 2048)
    assert shape[0] * strips.count * plan.cdiv(shape[1], channels) >= plan.PROGRAMS


@pytest.mark.parametrize(('pixels', 'group'), [(25 * 42, 2), (50 * 84, 8), (16 * 16, 16), (5 * 5, 1)])
def test_alignment_of_rows_follows_from_the_pixels(pixels, group):
    assert plan.group(pixels) == group


@pytest.mark.parametrize(('images', 'pixels', 'taps'), [(1, 1, 1), (8, 67200, 8), (2, 1050, 32)])
def test_spans_of_the_kernel_gradient_are_whole_blocks(images, pixels, taps):
    span, block = plan.span(images, pixels, taps)
    assert span % block == 0
    assert images * plan.cdiv(pixels, span) <= plan.SPANS + images
