"""Costs match the contract and use the image size of the config's test pipeline."""
import pytest
from mmengine.config import Config

from dmsca_mm import plugin
from dmsca_mm.analysis.report.costs import costs
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.config import load_config


def test_resnet_50_costs_what_the_contract_says():
    backbone = dict(type='mmdet.ResNet', depth=50, plugins=[plugin(stages=(True,) * 4)], norm_cfg=dict(type='SyncBN'),
                    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
    config = Config(dict(model=dict(backbone=backbone)))
    before = config.to_dict()
    found = costs(config)
    assert found.size == (224, 224)
    assert found.parameters == (pytest.approx(26.088e6, abs=500), pytest.approx(23.508e6, abs=500))
    assert found.multiply_adds == (pytest.approx(4.131e9, abs=5e5), pytest.approx(4.109e9, abs=5e5))
    assert config.to_dict() == before


def test_image_is_of_the_size_that_the_config_tests_with(repository):
    config = load_config(str(repository / 'configs/digits/upernet_r50_dmsca_digits.py'))
    found = costs(config)
    assert found.size == (160, 160)
    config.test_dataloader.dataset = dict(type='RepeatDataset', dataset=config.test_dataloader.dataset)
    config.test_dataloader.dataset.dataset.pipeline[1]['scale'] = (96, 64)
    smaller = costs(config)
    assert smaller.size == (96, 64)
    assert smaller.multiply_adds[1] < found.multiply_adds[1] / 3


@pytest.mark.parametrize(('model', 'word'), [(dict(), 'no model.backbone'),
                                             (dict(backbone=dict(type='NoSuchNet')), 'NoSuchNet could not be counted')])
def test_backbone_that_cannot_be_counted_is_named(model, word):
    with pytest.raises(UsageError, match=word):
        costs(Config(dict(model=model)))
