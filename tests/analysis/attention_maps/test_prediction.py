"""Predictions of each kind of model with the maps that explain them."""
import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.structures import PixelData
from PIL import Image

from dmsca_mm.analysis.attention_maps import maps
from dmsca_mm.analysis.attention_maps.prediction import Model, load_image, number_equal_names
from dmsca_mm.analysis.drawing import SCORE, SIDE
from dmsca_mm.analysis.inference import Images
from dmsca_mm.errors import ImageError, UsageError


@pytest.mark.parametrize('kind', ['detector', 'segmenter', 'classifier'])
def test_maps_are_those_that_the_model_computes(kind, models, image):
    """With the identity initialization every gate except G is 1 for any image."""
    prediction = models[kind].predict(image)
    places = maps.choose(maps.attentions(models[kind].model))
    assert [place.stage for place in places] == [1, 2, 3, 4]
    for found in prediction.attentions(places):
        assert found.spatial.shape == found.total.shape == (160, 160)
        assert found.is_identity
        assert np.ptp(found.gate) > 0
        assert (found.temperature, found.ceiling) == (1, 2)


@pytest.mark.parametrize('kind', ['detector', 'one-stage', 'segmenter', 'classifier'])
def test_grad_cam_falls_where_the_score_depends_on_the_image(kind, models, image):
    cam = models[kind].predict(image).grad_cam(maps.stage_ends(models[kind].model))
    assert list(cam.maps) == [1, 2, 3, 4]
    assert all(values.shape == (160, 160) and values.min() >= 0 for values in cam.maps.values())
    assert max(values.max() for values in cam.maps.values()) > 0
    assert all(parameter.grad is None for parameter in models[kind].model.parameters())


def test_maps_of_a_segmenter_that_is_tested_in_windows_are_refused(untrained, image):
    windows = dict(_delete_=True, mode='slide', crop_size=(64, 64), stride=(32, 32))
    model = Model(*untrained('segmenter'), {'model.test_cfg': windows})
    prediction = model.predict(image)
    with pytest.raises(UsageError, match=r'give --cfg-options model\.test_cfg\.mode=whole'):
        prediction.attentions(maps.attentions(model.model))
    with pytest.raises(UsageError, match=r'give --cfg-options model\.test_cfg\.mode=whole'):
        prediction.grad_cam(maps.stage_ends(model.model))


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    (tmp_path / 'words.png').write_text('words')
    with pytest.raises(ImageError, match=r'words\.png is no image'):
        load_image(tmp_path / 'words.png')


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_an_image_of_sixteen_bits_is_drawn_as_the_model_sees_it(suffix, tmp_path):
    path = tmp_path / f'x-ray.{suffix}'
    cv2.imwrite(str(path), np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
    read = LoadImageFromFile().transform(dict(img_path=str(path)))['img']
    assert 100 < read.mean() < 150
    assert np.array_equal(np.asarray(load_image(path)), read[..., ::-1])


def test_grad_cam_without_a_box_is_zero(models, image, monkeypatch):
    model = models['detector']
    monkeypatch.setitem(model.model.roi_head.test_cfg, 'score_thr', 0.99)
    prediction = model.predict(image)
    assert len(prediction.sample.pred_instances) == 0
    cam = prediction.grad_cam(maps.stage_ends(model.model))
    assert list(cam.maps) == [1, 2, 3, 4]
    assert all(values.shape == (160, 160) and values.max() == 0 for values in cam.maps.values())
    assert cam.note == 'finds nothing: there is no score to explain'


def test_grad_cam_of_a_model_without_boxes_or_classes_is_refused(models, image):
    prediction = models['detector'].predict(image)
    del prediction.sample.pred_instances
    prediction.sample.pred_panoptic_seg = PixelData(sem_seg=torch.zeros(1, 160, 160))
    assert prediction.picture is None
    assert len(prediction.attentions(maps.attentions(models['detector'].model)[-1:])) == 1
    with pytest.raises(UsageError, match='explains boxes or classes, and FasterRCNN predicts neither'):
        prediction.grad_cam(maps.stage_ends(models['detector'].model))


def test_padding_of_the_pipeline_is_no_part_of_the_image(untrained, image):
    model = Model(*untrained('detector'))
    pipeline = model.config.test_dataloader.dataset.pipeline
    pipeline.insert(len(pipeline) - 1, dict(type='Pad', size=(320, 256)))
    model.images = Images(model.config)
    prediction = model.predict(image)
    assert tuple(prediction.sample.img_shape[:2]) == (256, 320), 'mmcv reports the padded size'
    columns = torch.arange(320.0).expand(256, 320)
    assert prediction._on_image(columns).max() < 256, 'the square image is 256 pixels wide in the input'


def test_note_names_what_grad_cam_explains_where_the_picture_does_not_show_it(models, image):
    prediction = models['detector'].predict(image)
    best = prediction.sample.pred_instances.scores.max()
    assert best < SCORE, 'a model that is not trained'
    assert prediction.note == f'finds nothing with a score of 0.3 or above: its best, {best:.2f}, is explained'
    assert models['classifier'].predict(image).note == ''


def test_a_class_that_the_losses_ignore_is_drawn_where_it_is_predicted(models, image, monkeypatch):
    model = models['segmenter']
    sample = model.predict(image).sample
    sample.pred_sem_seg.data[:] = 3
    sample.gt_sem_seg = sample.pred_sem_seg
    monkeypatch.setattr(model.model.decode_head, 'ignore_index', 3)
    monkeypatch.setattr(model.config.model.decode_head, 'ignore_index', 3, raising=False)
    truth, prediction = (np.asarray(model.draw(load_image(image), sample, which)).astype(int)
                         for which in ('gt', 'pred'))
    assert truth.shape == (SIDE, SIDE, 3)
    assert np.allclose(prediction[300:] - truth[300:], 0.7 * np.array(model.model.dataset_meta['palette'][3]), atol=1)


def test_models_of_one_name_are_numbered():
    models = [Model.__new__(Model) for _ in range(3)]
    for model, name in zip(models, ('a', 'b', 'a'), strict=True):
        model.name = name
    number_equal_names(models)
    assert [model.name for model in models] == ['1: a', 'b', '3: a']


def test_image_is_turned_as_its_file_asks(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('L', (20, 10)).save(tmp_path / 'turned.jpg', exif=exif)
    found = load_image(tmp_path / 'turned.jpg')
    assert (found.size, found.mode) == ((10, 20), 'RGB')


def test_images_are_predicted_without_a_gradient(models, image):
    assert not models['classifier'].predict(image).sample.pred_score.requires_grad
    assert torch.is_grad_enabled()
