"""Weights that are missing or need what is not there are named."""
import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.preflight import weights


def model(**backbone):
    return Config(dict(model=dict(backbone=dict(type='mmdet.ResNet', depth=50, **backbone))))


@pytest.mark.parametrize('where', [dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
                                   dict(pretrained='torchvision://resnet50')])
def test_torchvision_weights_without_torchvision_name_the_way_out(where, monkeypatch):
    monkeypatch.setattr(weights, 'find_spec', lambda name: None)
    with pytest.raises(UsageError, match='torchvision, which is not installed') as caught:
        weights.check_weights(model(**where))
    assert 'https://download.pytorch.org/models/resnet50-0676ba61.pth' in str(caught.value)


def test_missing_local_weights_are_named(tmp_path):
    with pytest.raises(UsageError, match='does not exist'):
        weights.check_weights(model(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'none.pth'))))


def test_weights_with_an_address_are_left_to_the_loader():
    weights.check_weights(model(pretrained='open-mmlab://resnet50_v1c'))
