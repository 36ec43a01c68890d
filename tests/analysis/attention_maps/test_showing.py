"""From a config and a checkpoint to figures: any of the models, the right places, and nothing written on a mistake."""
import numpy as np
import pytest
import torch

from dmsca_mm.analysis.attention_maps import maps, showing
from dmsca_mm.analysis.attention_maps.showing import Model, show_attention
from dmsca_mm.errors import ImageError, UsageError


@pytest.fixture(scope='module')
def image(digits):
    return str(sorted((digits / 'images/validation').glob('*'))[0])


@pytest.fixture(scope='module')
def models(untrained):
    return {kind: Model(*untrained(kind)) for kind in ('detector', 'one-stage', 'segmenter', 'classifier')}


@pytest.mark.parametrize('kind', ['detector', 'segmenter', 'classifier'])
def test_maps_are_those_that_the_model_computed(kind, models, image):
    """The identity start: every gate is 1, whatever the image."""
    seen = models[kind].take(image)
    places = maps.choose(maps.attentions(seen.model.model))
    assert [place.stage for place in places] == [1, 2, 3, 4]
    for found in seen.attentions(places):
        assert found.spatial.shape == found.total.shape == (160, 160)
        assert np.allclose(found.total, 1)
        assert np.ptp(found.gate) > 0
        assert (found.temperature, found.ceiling) == (1, 2)


@pytest.mark.parametrize('kind', ['detector', 'one-stage', 'segmenter', 'classifier'])
def test_grad_cam_falls_where_the_score_depends_on_the_image(kind, models, image):
    seen = models[kind].take(image)
    cam = seen.grad_cam(maps.stage_ends(seen.model.model))
    assert list(cam.maps) == [1, 2, 3, 4]
    assert all(values.shape == (160, 160) and values.min() >= 0 for values in cam.maps.values())
    assert max(values.max() for values in cam.maps.values()) > 0
    assert all(parameter.grad is None for parameter in seen.model.model.parameters())


def test_grad_cam_of_nothing_found_is_nothing(untrained, image):
    """Every score of this model is below the least that its test keeps."""
    model = Model(*untrained('detector'), {'model.test_cfg.rcnn.score_thr': 0.99})
    seen = model.take(image)
    assert len(seen.samples[0].pred_instances) == 0
    cam = seen.grad_cam(maps.stage_ends(model.model))
    assert list(cam.maps) == [1, 2, 3, 4]
    assert all(values.shape == (160, 160) and values.max() == 0 for values in cam.maps.values())
    assert cam.note == 'finds nothing: there is no score to explain'


def test_grad_cam_of_what_is_not_drawn_as_found_says_what_it_explains(models, image):
    seen = models['detector'].take(image)
    best = seen.samples[0].pred_instances.scores.max()
    assert f'finds nothing of score 0.3 or above: its best, {best:.2f}, is explained' == seen.note
    assert models['classifier'].take(image).note == ''


def test_a_class_found_is_named_with_its_probability(models, image):
    seen = models['classifier'].take(image)
    (text, _), = seen.found.legend
    name, probability = text.split(': ')
    assert name in '0123456789'
    assert 0.1 <= float(probability) < 1


def test_boxes_found_are_drawn_with_class_and_score(models, image, monkeypatch):
    model = models['detector']
    seen = model.take(image)
    instances = seen.samples[0].pred_instances
    assert instances.scores.max() < showing.SCORE, 'an untrained model is sure of nothing'
    instances.scores[:2] = torch.tensor([0.9, 0.4])
    calls = []
    monkeypatch.setattr(showing, 'draw_boxes', lambda *arguments: calls.append(arguments))
    model.shown(showing.picture(image), seen.samples[0], 'pred')
    (_, boxes, numbers, texts), = calls
    assert numbers == instances.labels[:2].tolist()
    assert texts == [f'{numbers[0]}: 0.90', f'{numbers[1]}: 0.40']
    assert np.allclose(boxes, instances.bboxes[:2])


def test_label_map_has_a_legend_of_its_classes_the_largest_first(models, image):
    model = models['segmenter']
    seen = model.take(image)
    labels = seen.samples[0].pred_sem_seg.data
    labels[:] = 3
    labels[:, :40] = 0
    labels[:, :4] = 255
    found = model.shown(showing.picture(image), seen.samples[0], 'pred')
    assert found.legend == [('2', (255, 225, 25)), ('background', (0, 0, 0))]
    assert model.shown(showing.picture(image), seen.samples[0], 'gt') is None


def test_models_stand_side_by_side_in_one_figure(untrained, image, tmp_path):
    first, plain = untrained('detector'), untrained('detector', 'none')
    drawn = []

    def keep(picture, cams, title):
        drawn.extend(cams)
        return original(picture, cams, title)
    original = showing.figures.cam_figure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(showing.figures, 'cam_figure', keep)
        plain_config = tmp_path / 'plain.py'
        plain_config.write_text(f"_base_ = {plain[0]!r}\nmodel = dict(backbone=dict(plugins=None))\n")
        figure, = show_attention(*first, [image], str(tmp_path / 'out'), beside=[(str(plain_config), plain[1])])
    assert figure.name.endswith('.grad_cam.png')
    assert figure.exists()
    assert len({cam.model for cam in drawn}) == 2


@pytest.mark.parametrize(('options', 'words'), [
    (dict(stages=[5]), 'stage 5: there is nothing to see; choose from 1, 2, 3, 4'),
    (dict(plugin='none', weights='none'), 'has no DMSCA in its backbone.*--grad-cam'),
    (dict(weights='none'), 'is not of'),
    (dict(twice=True), 'have the same name')])
def test_mistakes_are_named_and_nothing_is_written(options, words, untrained, image, tmp_path):
    config, weights = untrained('detector')
    if options.pop('weights', None):
        weights = untrained('detector', 'none')[1]
    images = [image] * (1 + options.pop('twice', False))
    with pytest.raises(UsageError, match=words):
        show_attention(config, weights, images, str(tmp_path / 'out'), **options)
    assert not (tmp_path / 'out').exists()


def test_image_that_cannot_be_read_is_named_before_any_figure(untrained, image, tmp_path):
    with pytest.raises(ImageError, match=r'none\.jpg cannot be read'):
        show_attention(*untrained('detector'), [image, str(tmp_path / 'none.jpg')], str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()
