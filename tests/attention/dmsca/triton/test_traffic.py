"""The bytes of a plan; test_launcher.py tests that the kernels move them."""
from dmsca_mm.attention.dmsca.triton.traffic import floor


def test_floor_counts_the_maps():
    assert floor((2, 3, 4, 5), 2) == (3 * 240, 5 * 240)
