"""Preprocessing and pooling for any image size."""
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmseg.models import SegDataPreProcessor
from torch import nn

from dmsca_mm.export.layers import MeanPool, Prepare, with_mean_pools

NORMAL = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0])


@pytest.mark.parametrize('settings', [dict(NORMAL, bgr_to_rgb=True, pad_size_divisor=32), dict(NORMAL),
                                      dict(bgr_to_rgb=True, pad_size_divisor=7, pad_value=3)])
@pytest.mark.parametrize('size', [(64, 64), (50, 77)])
def test_images_are_prepared_as_by_mmdet(settings, size):
    preprocessor, images = DetDataPreprocessor(**settings), torch.randint(0, 256, (2, 3, *size))
    expected = preprocessor(dict(inputs=[*images.to(torch.uint8)], data_samples=None))['inputs']
    torch.testing.assert_close(Prepare(preprocessor)(images.float()), expected)


def test_images_are_prepared_as_by_mmseg():
    preprocessor = SegDataPreProcessor(**NORMAL, bgr_to_rgb=True, size_divisor=1)
    images = torch.randint(0, 256, (1, 3, 40, 60))
    expected = preprocessor(dict(inputs=[*images], data_samples=None))['inputs']
    torch.testing.assert_close(Prepare(preprocessor)(images.float()), expected)


@pytest.mark.parametrize('sides', [(1, 1), (2, 2), (3, 3), (6, 6), (3, 5)])
@pytest.mark.parametrize('size', [(16, 16), (7, 11), (3, 6)])
def test_pool_is_that_of_pytorch(sides, size):
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    torch.testing.assert_close(MeanPool(sides)(x), nn.AdaptiveAvgPool2d(sides)(x))


def test_pools_are_replaced_wherever_they_are():
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.AdaptiveAvgPool2d(3)), nn.AdaptiveAvgPool2d((2, 4)))
    x = torch.randn(1, 2, 9, 9)
    expected = model(x)
    torch.testing.assert_close(with_mean_pools(model)(x), expected)
    assert not [module for module in model.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
