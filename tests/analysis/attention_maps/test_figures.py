"""Figures have a panel for each map, in the right place."""
import numpy as np
from matplotlib.axes import Axes
from PIL import Image
from test_panels import IMAGE, attention, text

from dmsca_mm.analysis.attention_maps.figures import attention_figure, cam_figure, total_figure
from dmsca_mm.analysis.attention_maps.grad_cam import Cam

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


def panels(figure):
    return {axes.get_title(): axes for axes in figure.findobj(Axes) if axes.get_title()}


def test_attention_figure_shows_the_picture_and_every_map():
    shown = attention()
    found = panels(attention_figure(IMAGE, PICTURE, [shown], 'title'))
    for title, values in (('what the model finds', PICTURE), ('spatial gate', shown.spatial),
                          ('fusion gate', shown.gate), ('activation', shown.activation),
                          ('total, on the image', shown.total)):
        assert np.array_equal(found[title].images[-1].get_array(), np.asarray(values)), title
    assert 'channel gate, 40 channels' in found


def test_image_is_shown_if_the_predictions_cannot_be_drawn():
    found = panels(attention_figure(IMAGE, None, [attention()], 'title'))
    shown = found['the image: predictions of this kind cannot be drawn'].images[-1]
    assert np.array_equal(shown.get_array(), IMAGE)


def test_total_is_drawn_alone_on_the_image():
    shown = attention()
    figure = total_figure(IMAGE, shown)
    image, values = panels(figure)['stage 2, block 4'].images
    assert np.array_equal(image.get_array(), IMAGE.mean(2))
    assert np.array_equal(values.get_array(), shown.total)


def test_grad_cam_that_is_zero_is_replaced_by_the_reason():
    zeros = np.zeros((20, 30))
    figure = cam_figure(IMAGE, [Cam('a', PICTURE, {1: zeros}, 'finds nothing: there is no score to explain'),
                                Cam('b', PICTURE, {1: zeros})], '')
    shown = [text(axes) for axes in figure.axes if axes.get_title() == 'Grad-CAM, stage 1']
    assert shown == [['finds nothing: there is no score to explain'],
                     ['zero everywhere: these features raise no score']]
    assert any('finds nothing' in axes.get_title() for axes in figure.axes)


def test_grad_cam_of_models_with_other_stages_are_side_by_side():
    values = np.random.default_rng(0).random((20, 30))
    cams = [Cam('plain', PICTURE, {1: values, 2: values}), Cam('other', PICTURE, {2: np.zeros((20, 30))})]
    figure = cam_figure(IMAGE, cams, 'title')
    titles = [axes.get_title() for axes in figure.findobj(Axes)]
    expected = {'Grad-CAM, stage 1': 1, 'Grad-CAM, stage 2': 2, 'plain': 1, 'other': 1}
    assert {title: titles.count(title) for title in expected} == expected
