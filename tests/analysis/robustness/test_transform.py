"""The pipeline step: its position and its effect on each image."""
import zlib

import numpy as np
import pytest
from mmengine.config import Config
from torch.utils.data import DataLoader

from dmsca_mm.analysis.robustness import corrupt
from dmsca_mm.analysis.robustness.transform import CorruptImage, insert
from dmsca_mm.errors import ImageError
from dmsca_mm.runtime.config import load_config

STEP = dict(type='CorruptImage', corruption='fog', severity=1)


def noise(seed, shape=(40, 50, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_image_is_corrupted_by_numbers_that_follow_from_its_pixels():
    image = noise(0)
    found = CorruptImage('gaussian_noise', 3)(dict(img=image.copy()))['img']
    np.testing.assert_array_equal(found, corrupt(image, 'gaussian_noise', 3, zlib.crc32(image.tobytes())))
    greys = [np.full((40, 40, 3), value, np.uint8) for value in (127, 128)]
    noises = [CorruptImage('gaussian_noise', 1)(dict(img=grey.copy()))['img'].astype(int) - grey for grey in greys]
    assert not np.array_equal(*noises), 'each image has noise of its own'


def test_float_images_stay_float_and_equal_the_others():
    image = noise(1)
    found = CorruptImage('shot_noise', 2)(dict(img=image.astype('float32')))['img']
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, CorruptImage('shot_noise', 2)(dict(img=image))['img'])


@pytest.mark.parametrize('image', [noise(2).astype('uint16') * 16, noise(2).astype('float32') / 255,
                                   np.full((40, 40, 3), np.nan, 'float32')])
def test_image_that_eight_bits_cannot_hold_is_refused_instead_of_wrapped(image):
    with pytest.raises(ImageError, match=rf'^deep.png: an image of {image.dtype} with values from .* whole numbers'):
        CorruptImage('brightness', 1)(dict(img=image, img_path='deep.png'))


@pytest.mark.parametrize('workers', [0, 1])
def test_image_that_is_too_small_is_named_also_from_a_data_worker(workers):
    class Data(list):
        def __getitem__(self, index):
            return CorruptImage('fog', 1)(dict(img=noise(0, (20, 40, 3)), img_path='small.jpg'))
    with pytest.raises(ImageError, match=r'^small.jpg: an image of 40×20 pixels .* at least 32 a side$'):
        next(iter(DataLoader(Data([0]), num_workers=workers)))


@pytest.mark.parametrize('name', ['configs/faster_rcnn_r50_dmsca.py', 'configs/upernet_r50_dmsca.py'])
def test_step_comes_right_behind_the_loader(name, repository):
    loader = load_config(str(repository / name)).test_dataloader
    before = [step['type'] for step in loader.dataset.pipeline]
    assert insert(loader, STEP) == 1
    assert [step['type'] for step in loader.dataset.pipeline] == [before[0], 'CorruptImage', *before[1:]]


def test_every_pipeline_of_nested_data_sets_gets_it():
    def data(*steps):
        return dict(type='D', pipeline=[dict(type=step) for step in steps])
    parts = [data('mmcv.LoadImageFromFile', 'Pack'), dict(dataset=data('Other', 'LoadWholeImage')), data('Annotations')]
    config = Config(dict(loader=dict(dataset=dict(type='ConcatDataset', datasets=parts))))
    assert insert(config.loader, STEP) == 2
    first, second, third = config.loader.dataset.datasets
    assert [step['type'] for step in first.pipeline] == ['mmcv.LoadImageFromFile', 'CorruptImage', 'Pack']
    assert [step['type'] for step in second.dataset.pipeline] == ['Other', 'LoadWholeImage', 'CorruptImage']
    assert len(third.pipeline) == 1
