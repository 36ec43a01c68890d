"""Figures hold what they were given: values, labels, boxes, and colours around the neutral value."""
import numpy as np
import pytest
from PIL import Image

from dmsca_mm.analysis.attention_maps import figures
from dmsca_mm.analysis.attention_maps.figures import (
    Attention,
    Cam,
    attention_figure,
    cam_figure,
    drawn,
    save,
    total_figure,
)
from dmsca_mm.analysis.attention_maps.maps import Place
from dmsca_mm.analysis.predictions import Shown, draw_boxes
from dmsca_mm.errors import UsageError

IMAGE = np.full((20, 30, 3), 128, np.uint8)
BOXES = Shown(draw_boxes(Image.fromarray(IMAGE), np.array([[2.0, 3.0, 12.0, 9.0]]), [1], ['cat: 0.90']))


def attention(ceiling=2.0, **changed):
    random = np.random.default_rng(0)
    values = dict(channel=random.uniform(0.5, 1.5, 40), **{name: random.uniform(0.2, 0.9, (20, 30)) for name in (
        'spatial', 'gate', 'activation', 'total')})
    return Attention(place=Place('x', 2, 4), temperature=0.9, ceiling=ceiling, **{**values, **changed})


def panels(figure):
    return {axes.get_title(): axes for axes in figure.findobj(figures.Axes) if axes.get_title()}


def test_attention_figure_shows_every_map_with_its_numbers():
    shown = attention()
    figure = attention_figure(IMAGE, BOXES, [shown], 'title')
    found = panels(figure)
    for title, values in (('spatial gate', shown.spatial), ('fusion gate', shown.gate),
                          ('activation', shown.activation), ('total, on the image', shown.total)):
        assert np.array_equal(found[title].images[-1].get_array(), values)
    bars = found['channel gate, 40 channels']
    assert [bar.get_y() + bar.get_height() for bar in bars.patches] == pytest.approx(sorted(shown.channel)[::-1])
    assert bars.get_ylabel() == 'stage 2, block 4\nτ = 0.900'
    assert np.array_equal(found['what the model finds'].images[0].get_array(), np.asarray(BOXES.picture))


def test_colours_are_neutral_where_nothing_changes():
    spatial = np.full((20, 30), 1.0)
    spatial[0, 0] = 1.8
    found = panels(attention_figure(IMAGE, BOXES, [attention(spatial=spatial, gate=np.full((20, 30), 0.5))], ''))
    for title, neutral in (('spatial gate', 1.0), ('fusion gate', 0.5)):
        shown = found[title].images[-1]
        red, green, blue, _ = shown.cmap(shown.norm(neutral))
        assert min(red, green, blue) > 0.9, 'white'
    reddest = found['spatial gate'].images[-1]
    red, _, blue, _ = reddest.cmap(reddest.norm(1.8))
    assert red > blue


def words(axes):
    return [' '.join(text.get_text().split()) for text in axes.texts]


def test_identity_initialization_is_named_in_place_of_blank_axes():
    ones = np.ones((20, 30))
    untouched = attention(channel=np.ones(40), spatial=ones, activation=ones + 1e-7, total=ones)
    found = panels(attention_figure(IMAGE, BOXES, [untouched], ''))
    for title in ('channel gate, 40 channels', 'spatial gate', 'activation', 'total, on the image'):
        assert words(found[title]) == ['still at its identity initialization: 1 everywhere'], title
    assert words(found['fusion gate']) == [], 'it has values of its own'
    part = panels(attention_figure(IMAGE, BOXES, [attention(activation=ones)], ''))
    assert words(part['activation']) == ['1 everywhere'], 'one part alone is no initialization'
    assert words(part['spatial gate']) == words(part['total, on the image']) == []
    small = panels(total_figure(IMAGE, untouched))['stage 2, block 4']
    assert words(small) == ['still at its identity initialization: 1 everywhere']


def test_gates_of_one_that_only_dim_are_no_identity():
    ones = np.ones((20, 30))
    found = panels(attention_figure(IMAGE, BOXES, [attention(1.0, spatial=ones, activation=ones, total=ones)], ''))
    assert all(words(axes) == [] for axes in found.values())


def test_grad_cam_without_a_value_says_so():
    zeros = np.zeros((20, 30))
    figure = cam_figure(IMAGE, [Cam('a', BOXES, {1: zeros}, 'finds nothing: there is no score to explain'),
                                     Cam('b', BOXES, {1: zeros})], '')
    said = [words(axes) for axes in figure.axes if axes.get_title() == 'Grad-CAM, stage 1']
    assert said == [['finds nothing: there is no score to explain'], ['zero everywhere: these features raise no score']]
    assert any('finds nothing' in axes.get_title() for axes in figure.axes)


def test_gates_that_only_dim_are_drawn_from_zero():
    found = panels(attention_figure(IMAGE, BOXES, [attention(ceiling=1.0)], ''))
    assert found['spatial gate'].images[-1].norm.vmin == 0
    assert min(bar.get_y() for bar in found['channel gate, 40 channels'].patches) == 0


def test_total_stands_alone_on_the_image_and_as_a_picture():
    shown = attention()
    figure = total_figure(IMAGE, shown)
    image, values = panels(figure)['stage 2, block 4'].images
    assert np.array_equal(image.get_array(), IMAGE.mean(2))
    assert np.array_equal(values.get_array(), shown.total)
    picture = drawn(figure)
    assert picture.size == tuple(round(140 * side) for side in figure.get_size_inches())
    assert len(picture.getcolors(10 ** 6)) > 100


def test_legend_names_the_classes_in_their_colours():
    found = Shown(BOXES.picture, [('sky', (0, 0, 255)), ('land', (0, 255, 0))])
    figure = attention_figure(IMAGE, found, [attention()], '')
    legend = panels(figure)['what the model finds'].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ['sky', 'land']
    assert [patch.get_facecolor()[:3] for patch in legend.get_patches()] == [(0, 0, 1), (0, 1, 0)]


def test_grad_cam_of_models_with_other_stages_stand_side_by_side(tmp_path):
    values = np.random.default_rng(0).random((20, 30))
    cams = [Cam('plain', BOXES, {1: values, 2: values}), Cam('other', BOXES, {2: np.zeros((20, 30))})]
    figure = cam_figure(IMAGE, cams, 'title')
    titles = [axes.get_title() for axes in figure.findobj(figures.Axes)]
    expected = {'Grad-CAM, stage 1': 1, 'Grad-CAM, stage 2': 2, 'plain': 1, 'other': 1}
    assert {title: titles.count(title) for title in expected} == expected
    save(figure, tmp_path / 'new' / 'cam.png')
    assert Image.open(tmp_path / 'new' / 'cam.png').size[0] > 500
    with pytest.raises(UsageError, match='could not be written'):
        save(figure, tmp_path / 'new' / 'cam.png' / 'inside.png')
