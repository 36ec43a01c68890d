"""A plugin that a backbone does not support is refused by name."""
import pytest
from mmengine.config import Config

from dmsca_mm import dmsca, plugin
from dmsca_mm.preflight.model import check_model, frozen_plugins


def model(**backbone):
    return Config(dict(model=dict(backbone=dict(type='mmdet.ResNet', depth=50, **backbone))))


def test_good_model_passes_unchanged():
    other = dict(cfg=dict(type='ContextBlock', ratio=0.1), position='after_conv3')
    config = model(plugins=[plugin(reduction=8), other])
    before = config.to_dict()
    check_model(config)
    assert config.to_dict() == before


@pytest.mark.parametrize(('frozen', 'stages', 'words'), [
    (-1, None, None), (1, (False, True, True, True), None),
    (1, None, ['in stage 1 does not train', 'stages=(False, True, True, True)', 'frozen_stages=0']),
    (3, (False, True, True, True), ['in stage 2, 3', 'stages=(False, False, False, True)', 'frozen_stages=1'])])
def test_plugin_in_a_frozen_stage_is_warned_of_with_the_way_out(frozen, stages, words):
    found = frozen_plugins(model(frozen_stages=frozen, plugins=[dict(dmsca, stages=stages)]))
    assert len(found) == (words is not None)
    assert all(word in found[0] for word in words or ())
