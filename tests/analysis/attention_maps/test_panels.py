"""A panel shows its values, with neutral colours where nothing changes."""
import numpy as np
import pytest
from matplotlib.figure import Figure

from dmsca_mm.analysis.attention_maps import panels
from dmsca_mm.analysis.attention_maps.maps import Attention, Place

IMAGE = np.full((20, 30, 3), 128, np.uint8)
ONES = np.ones((20, 30))


@pytest.fixture
def axes():
    return Figure().add_subplot()


def attention(ceiling=2.0, **changed):
    random = np.random.default_rng(0)
    values = dict(channel=random.uniform(0.5, 1.5, 40), **{name: random.uniform(0.2, 0.9, (20, 30)) for name in (
        'spatial', 'gate', 'activation', 'total')})
    return Attention(place=Place('x', 2, 4), temperature=0.9, ceiling=ceiling, **{**values, **changed})


def text(axes):
    return [' '.join(text.get_text().split()) for text in axes.texts]


def test_bars_are_the_sorted_channel_gate(axes):
    shown = attention()
    panels.channel_gate(axes, shown)
    assert [bar.get_y() + bar.get_height() for bar in axes.patches] == pytest.approx(sorted(shown.channel)[::-1])
    assert axes.get_title() == 'channel gate, 40 channels'
    assert axes.get_ylabel() == 'stage 2, block 4\nτ = 0.900'


def test_gate_is_white_at_one_and_red_above(axes):
    values = ONES.copy()
    values[0, 0] = 1.8
    panels.gate(axes, 'spatial gate', values, attention())
    shown = axes.images[-1]
    assert np.array_equal(shown.get_array(), values)
    assert min(shown.cmap(shown.norm(1.0))[:3]) > 0.9
    red, _, blue, _ = shown.cmap(shown.norm(1.8))
    assert red > blue


def test_fusion_gate_is_white_at_one_half(axes):
    panels.fusion_gate(axes, ONES / 2)
    shown = axes.images[-1]
    assert min(shown.cmap(shown.norm(0.5))[:3]) > 0.9


def test_gates_that_only_dim_are_drawn_from_zero(axes):
    shown = attention(1.0)
    panels.gate(axes, 'spatial gate', shown.spatial, shown)
    assert axes.images[-1].norm.vmin == 0
    panels.channel_gate(bars := Figure().add_subplot(), shown)
    assert min(bar.get_y() for bar in bars.patches) == 0


@pytest.mark.parametrize(('others', 'expected'), [
    (dict(channel=np.ones(40), spatial=ONES, activation=ONES, total=ONES + 1e-7),
     ['still at its identity initialization: 1 everywhere']),
    (dict(activation=ONES), ['1 everywhere']), (dict(activation=ONES, ceiling=1.0), [])])
def test_neutral_gate_is_named_in_place_of_a_blank_map(others, expected, axes):
    """1 is not neutral if it is the upper end of a gate's range."""
    shown = attention(**others)
    panels.gate(axes, 'activation', shown.activation, shown)
    assert text(axes) == expected


def test_heat_that_is_zero_everywhere_is_replaced_by_a_text(axes):
    panels.heat(axes, 'Grad-CAM', ONES * 0, IMAGE, 'nothing')
    assert text(axes) == ['nothing']
    panels.heat(other := Figure().add_subplot(), 'Grad-CAM', ONES, IMAGE, 'nothing')
    assert text(other) == []
    assert np.array_equal(other.images[0].get_array(), IMAGE.mean(2))


@pytest.mark.parametrize('ceiling', [1.0, 2.0])
def test_nothing_is_drawn_where_the_model_does_not_see_the_image(ceiling):
    values = np.linspace(0.2, 0.9, 600).reshape(20, 30)
    values[:, 20:] = np.nan
    drawn = [Figure().add_subplot() for _ in range(3)]
    panels.gate(drawn[0], 'total', values, attention(ceiling))
    panels.fusion_gate(drawn[1], values)
    panels.heat(drawn[2], 'Grad-CAM', values, IMAGE, '')
    for axes in drawn:
        shown = axes.images[-1]
        opacity = shown.to_rgba(shown.get_array())[..., 3]
        assert (opacity[:, :20] > 0).all()
        assert (opacity[:, 20:] == 0).all()


def test_gate_is_neutral_if_it_is_where_the_model_sees_the_image(axes):
    values = ONES.copy()
    values[:, 20:] = np.nan
    panels.gate(axes, 'spatial gate', values, attention(spatial=values))
    assert text(axes) == ['1 everywhere']
