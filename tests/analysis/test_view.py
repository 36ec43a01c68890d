"""A map that is bright where the model's input shows an object is bright at that object in the image."""
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from dmsca_mm.analysis.attention_maps import maps
from dmsca_mm.analysis.inference import Images
from dmsca_mm.analysis.view import trace
from dmsca_mm.compat import requirements
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.config import load_config

OBJECT = (180, 219, 440, 499)
"""First and last row and column of the object in the picture."""
EVERYWHERE = (0, 399, 0, 799)


@pytest.fixture
def picture(tmp_path):
    pixels = np.zeros((400, 800, 3), np.uint8)
    pixels[180:220, 440:500] = 255
    Image.fromarray(pixels).save(tmp_path / 'picture.png')
    return str(tmp_path / 'picture.png')


@pytest.fixture(autouse=True)
def _mmpretrain():
    requirements.require('mmpretrain')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


class Halve:
    def __call__(self, data):
        return dict(data, img=data['img'][::2, ::2])


def extent(mask):
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max(), columns.min(), columns.max()


def resize(side, keep_ratio=True):
    return dict(type='Resize', scale=(side, side), keep_ratio=keep_ratio)


CENTERNET = dict(type='mmdet.RandomCenterCropPad', ratios=None, border=None, mean=[0, 0, 0], std=[1, 1, 1],
                 to_rgb=True, test_mode=True, test_pad_mode=['logical_or', 127])


@pytest.mark.parametrize(('transforms', 'seen'), [
    ([], EVERYWHERE),
    ([resize(1333)], EVERYWHERE),
    ([resize(320, keep_ratio=False)], EVERYWHERE),
    ([resize(640), dict(type='Pad', size=(640, 640))], EVERYWHERE),
    ([dict(resize(700), type='mmdet.FixScaleResize'), dict(type='Pad', size_divisor=128)], EVERYWHERE),
    ([CENTERNET], EVERYWHERE),
    ([dict(type='ResizeEdge', scale=200), dict(type='CenterCrop', crop_size=160)], (40, 359, 240, 559)),
    ([resize(400, keep_ratio=False), dict(type='CenterCrop', crop_size=200)], (100, 299, 200, 599)),
    ([resize(400), dict(type='CenterCrop', crop_size=300, auto_pad=True)], (0, 399, 100, 699)),
    ([dict(type='EfficientNetCenterCrop', crop_size=160, crop_padding=40)], (40, 359, 240, 559))])
def test_object_is_found_where_it_is(transforms, seen, picture):
    pipeline = Compose([dict(type='LoadImageFromFile', to_float32=True), *transforms])
    values = torch.from_numpy(pipeline(dict(img_path=picture))['img'][..., 0])
    view = trace(pipeline.transforms, dict(img_path=picture))
    found = maps.on_image(values, values.shape, view).numpy()
    assert found.shape == (400, 800)
    assert extent(found > 128) == pytest.approx(OBJECT, abs=2)
    assert extent(~np.isnan(found)) == pytest.approx(seen, abs=2)
    top, bottom, left, right = extent(~np.isnan(found))
    assert not np.isnan(found[top:bottom, left:right]).any()


def test_classifier_of_imagenet_sees_the_centre(repository, picture):
    view = Images(load_config(str(repository / 'configs/pretrain/resnet50_dmsca_imagenet.py'))).view(picture)
    assert view.size == (400, 800)
    side = 400 * 224 / 256
    assert np.allclose(view.seen, np.array([200, 400]) + np.array([[-side / 2], [side / 2]]), atol=1)
    assert view.inside.tolist() == [[0, 0], [224, 224]]


def test_unknown_geometric_transform_is_named(picture):
    with pytest.raises(UsageError, match='Halve of the test pipeline changes the image from 800×400 to 400×200'):
        trace([LoadImageFromFile(), Halve()], dict(img_path=picture))


def test_pipeline_that_loads_no_image_is_refused(picture):
    with pytest.raises(UsageError, match='the test pipeline loads no image'):
        trace([lambda data: data], dict(img_path=picture))
