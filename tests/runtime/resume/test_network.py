"""Another network or another attention is refused; a change that keeps all tensors is reported."""
import copy

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from dmsca_mm.checkpoint import stored_config
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.resume.network import compare_network

PLUGIN = dict(cfg=dict(type='DMSCA'), stages=(False, True, True, True), position='after_conv3')
MODEL = dict(
    type='EncoderDecoder', data_preprocessor=dict(type='SegDataPreProcessor'), test_cfg=dict(mode='whole'),
    backbone=dict(type='ResNetV1c', depth=50, base_channels=4, stem_channels=4, plugins=[PLUGIN],
                  norm_cfg=dict(type='SyncBN'), frozen_stages=-1),
    decode_head=dict(type='FCNHead', in_channels=128, channels=8, num_convs=1, num_classes=3, in_index=3,
                     loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)))


@pytest.fixture(scope='module')
def weights():
    import mmseg.models  # noqa: F401
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(copy.deepcopy(MODEL)).state_dict()


def compared(weights, path, value):
    """Return the lines for a change of one value of the model."""
    text = Config(dict(model=copy.deepcopy(MODEL))).pretty_text
    config = Config(dict(model=copy.deepcopy(MODEL), default_scope='mmseg'))
    config.merge_from_dict({f'model.{path}': value})
    new = stored_config.parse(config.pretty_text)
    return list(compare_network(stored_config.parse(text)['model'], new['model'], config, weights))


PLACE = 'backbone.plugins.0'


@pytest.mark.parametrize(('path', 'value', 'meaning'), [
    (f'{PLACE}.cfg.form', 'literal', 'the same function, equal to rounding'),
    (f'{PLACE}.cfg.temperature', 2.0, 'no effect, the weights come from the checkpoint'),
    ('backbone.init_cfg', dict(type='Pretrained', checkpoint='x.pth'), 'no effect'),
    ('backbone.frozen_stages', 1, 'it holds from here'),
    ('decode_head.loss_decode.loss_weight', 0.4, 'it holds from here'),
    ('test_cfg.mode', 'slide', 'not what is trained')])
def test_change_that_keeps_the_network_is_one_line(weights, path, value, meaning):
    line, = compared(weights, path, value)
    assert f'model.{path}' in line
    assert meaning in line


@pytest.mark.parametrize(('path', 'value'), [
    ('backbone.norm_cfg.type', 'BN'), (f'{PLACE}.cfg.init', 'identity'), ('backbone.depth', 50)])
def test_same_network_written_otherwise_is_not_mentioned(weights, path, value):
    assert compared(weights, path, value) == []


@pytest.mark.parametrize(('path', 'value'), [
    (f'{PLACE}.position', 'after_conv2'), (f'{PLACE}.cfg.init', 'paper'), (f'{PLACE}.cfg.type', 'SE'),
    (f'{PLACE}.cfg', dict(_delete_=True, type='DMSCAWithout', without='tca')), ('backbone.plugins', None)])
def test_another_attention_is_refused(weights, path, value):
    with pytest.raises(UsageError, match='which is a different attention') as caught:
        compared(weights, path, value)
    assert f'model.{PLACE.removesuffix(".0")}' in str(caught.value)


@pytest.mark.parametrize(('path', 'value', 'words'), [
    (f'{PLACE}.cfg.reduction', 2, ['reduction was not set and is 2', 'dmsca.gce.fc1.weight is (4, ']),
    (f'{PLACE}.cfg.kernel_sizes', (3, 5), ['kernel_sizes', 'missing here']),
    (f'{PLACE}.stages', (True, True, True, True), ['stages', 'layer1.0.dmsca', 'missing there']),
    ('decode_head.num_classes', 4, ['num_classes was 3 and is 4', 'decode_head.conv_seg.weight is (3, ', '(4, ']),
    ('backbone.depth', 101, ['depth was 50 and is 101', 'missing there'])])
def test_another_network_is_refused_with_the_change_and_a_tensor(weights, path, value, words):
    with pytest.raises(UsageError, match='which is a different network') as caught:
        compared(weights, path, value)
    assert all(word in str(caught.value) for word in words), str(caught.value)
