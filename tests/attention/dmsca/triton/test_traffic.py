"""The bytes of a plan; that the kernels move them is tested in test_launcher.py."""
import pytest

from dmsca_mm.attention.dmsca.triton.traffic import floor, traffic

STAGES = [(256, 200, 336), (512, 100, 168), (1024, 50, 84), (2048, 25, 42)]
"""Of a ResNet on images of 800×1344."""


def test_floor_counts_the_maps():
    assert floor((2, 3, 4, 5), 2) == (3 * 240, 5 * 240)


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('batch', [2, 8])
@pytest.mark.parametrize('stage', STAGES)
def test_traffic_stays_near_the_floor(stage, batch, channels_last):
    shape = batch, *stage
    most = 1.2 if stage in STAGES[:2] else 1.4  # small maps are shared out in narrow strips, which leave more sums
    for launches, least in zip(traffic(shape, 2, channels_last=channels_last), floor(shape, 2), strict=True):
        assert least < sum(launch.reads + launch.writes for launch in launches) < most * least
