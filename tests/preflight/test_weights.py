"""Weights that are missing, do not fit or need a missing package are named."""
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import MODELS

from dmsca_mm import dmsca
from dmsca_mm.checkpoint import sources
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import weights


def model(**backbone):
    return Config(dict(model=dict(backbone=dict(type='mmdet.ResNet', depth=50, **backbone))))


def start(name):
    return dict(type='Pretrained', checkpoint=name)


@pytest.fixture
def no_torchvision(monkeypatch):
    monkeypatch.setattr(weights, 'find_spec', lambda name: None)


@pytest.mark.parametrize(('backbone', 'expected'), [
    (dict(type='mmdet.ResNet', depth=50), 'resnet50-0676ba61.pth'),
    (dict(type='PluginResNet', base='mmdet.ResNet', depth=18, plugins=[dmsca]), 'resnet18-f37072fd.pth'),
    (dict(type='mmseg.ResNetV1c', depth=101), 'resnet101_v1c-e67eebb6.pth')])
@pytest.mark.parametrize('where', ['init_cfg', 'pretrained', 'model'])
def test_weights_that_need_torchvision_without_it_name_those_of_the_backbone(backbone, expected, where,
                                                                             no_torchvision):
    name = 'torchvision://resnet50.imagenet1k_v2'
    inner = {'init_cfg': dict(init_cfg=start(name)), 'pretrained': dict(pretrained=name)}.get(where, {})
    outer = dict(pretrained=name) if where == 'model' else {}
    key = {'init_cfg': 'backbone.init_cfg.checkpoint', 'pretrained': 'backbone.pretrained'}.get(where, 'pretrained')
    with pytest.raises(UsageError, match=f'^{re.escape(name)} needs torchvision, which is not installed') as caught:
        weights.check_weights(Config(dict(model=dict(backbone={**backbone, **inner}, **outer))))
    address = re.search(rf'--cfg-options model\.{key}=(https\S+),', str(caught.value))[1]
    assert address.endswith(expected)
    assert f'--cfg-options model.{key.removesuffix(".checkpoint")}=None' in str(caught.value)


def test_weights_in_mmengines_table_need_no_torchvision(no_torchvision):
    weights.check_weights(model(init_cfg=start('torchvision://resnet50')))


def test_name_in_no_table_offers_no_address(no_torchvision):
    with pytest.raises(UsageError, match='install it, or start from scratch') as caught:
        weights.check_weights(model(init_cfg=start('torchvision://mine'), base_channels=16))
    assert 'https' not in str(caught.value)


@pytest.mark.parametrize(('kind', 'depth', 'name', 'words'), [
    ('mmseg.ResNetV1c', 34, 'open-mmlab://resnet34_v1c', ['open-mmlab://resnet50_v1c', 'start from scratch']),
    ('mmseg.ResNetV1d', 50, 'open-mmlab://resnet50_v1d', ['open-mmlab://resnet50_v1c', 'start from scratch']),
    ('mmseg.ResNetV1c', 101, 'open-mmlab://resnet101_v2c', ['those of ResNetV1c of depth 101', 'v1c-e67eebb6.pth']),
    ('mmdet.ResNet', 50, 'openmmlab://resnet', ['those of ResNet of depth 50', 'resnet50-0676ba61.pth']),
    ('mmdet.ResNet', 50, 'mmcls://resnet55', ['mmcls://resnet50', 'resnet50-0676ba61.pth'])])
def test_name_under_which_nothing_is_published_is_refused_with_those_near_it(kind, depth, name, words):
    with pytest.raises(UsageError, match=f'model.backbone.init_cfg.checkpoint: no weights are published as {name}; '
                                         'similar names are') as caught:
        weights.check_weights(Config(dict(model=dict(backbone=dict(type=kind, depth=depth, init_cfg=start(name))))))
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize('name', ['open-mmlab://resnet50_v1c', 'open-mmlab://resnet50_caffe', 'mmcls://resnet50',
                                  'https://example.org/any.pth', 's3://bucket/any.pth'])
def test_weights_of_another_place_are_left_to_the_loader(name):
    weights.check_weights(model(pretrained=name))


def test_published_weights_of_another_depth_are_refused():
    config = Config(dict(model=dict(pretrained='open-mmlab://resnet50_v1c', backbone=dict(
        type='mmseg.ResNetV1c', depth=18))))
    with pytest.raises(UsageError, match=r'open-mmlab://resnet50_v1c are of another backbone: the config has ResNetV1c '
                                         r'of depth 18.*resnet18_v1c-b5776b93\.pth'):
        weights.check_weights(config)


@pytest.mark.parametrize('kind', ['Pretrained', PretrainedInit])
def test_local_weights_are_those_of_either_form_of_init_cfg(kind, tmp_path):
    config = model(init_cfg=dict(type=kind, checkpoint=f'{tmp_path}/none.pth'))
    assert weights.local_weights(config) == [f'{tmp_path}/none.pth']
    sources.forget_pretrained(config.model)
    assert weights.local_weights(config) == []


def test_missing_local_weights_are_named(tmp_path):
    with pytest.raises(UsageError, match=r'^model\.backbone\.init_cfg\.checkpoint: .*none\.pth does not exist'):
        weights.check_weights(model(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'none.pth'))))


THIN = dict(base_channels=8, stem_channels=8)


@pytest.fixture
def saved(tmp_path):
    """Write the weights of a backbone; return the path."""
    def save(prefix='', classifier=False, **backbone):
        state = MODELS.build(dict(type='PluginResNet', base='mmdet.ResNet', **THIN, **backbone)).state_dict()
        if classifier:
            state['fc.weight'], state['fc.bias'] = torch.zeros(10, 64), torch.zeros(10)
        path = tmp_path / 'weights.pth'
        torch.save(dict(state_dict={prefix + name: value for name, value in state.items()}), path)
        return str(path)
    return save


def thin_model(depth, path, prefix=None, **backbone):
    start = dict(type='Pretrained', checkpoint=path, **(dict(prefix=prefix) if prefix else {}))
    return Config(dict(model=dict(backbone=dict(
        type='PluginResNet', base='mmdet.ResNet', depth=depth, init_cfg=start, **THIN, **backbone))))


@pytest.mark.parametrize('depth', [18, 50])
def test_weights_of_the_same_backbone_pass_with_and_without_its_plugins(saved, depth):
    plain = saved(depth=depth, classifier=True)
    weights.check_weights(thin_model(depth, plain))
    weights.check_weights(thin_model(depth, plain, plugins=[dmsca]))
    attending = saved(prefix='backbone.', depth=depth, plugins=[dmsca])
    weights.check_weights(thin_model(depth, attending, prefix='backbone.', plugins=[dmsca]))
    config = thin_model(depth, attending, prefix='backbone', plugins=[dmsca])
    config.load_from = attending
    weights.check_weights(config)


@pytest.mark.parametrize(('stored', 'prefix', 'wanted', 'words'), [
    (dict(depth=18), None, dict(depth=50), ['ResNet of depth 50', 'lack', 'layer1.0.conv3.weight']),
    (dict(depth=50), None, dict(depth=18), ['ResNet of depth 18', 'beyond it', 'layer1.0.conv3.weight']),
    (dict(depth=18), None, dict(depth=34), ['ResNet of depth 34', 'lack', 'layer1.2.conv1.weight']),
    (dict(depth=18), None, dict(depth=18, small_stem=True), ['conv1.weight', '(8, 3, 7, 7)', '(8, 3, 3, 3)']),
    (dict(depth=18, plugins=[dmsca]), None, dict(depth=18), ['beyond it', 'layer2.0.dmsca', 'plugins']),
    (dict(depth=18, prefix='backbone.'), None, dict(depth=18), ['lack', 'conv1.weight', "prefix='backbone.'"]),
    (dict(depth=18), 'backbone.', dict(depth=18), ['lack', 'conv1.weight'])])
def test_weights_of_another_backbone_are_refused_with_both_sides(saved, stored, prefix, wanted, words):
    path = saved(**stored)
    with pytest.raises(UsageError, match='of another backbone') as caught:
        weights.check_weights(thin_model(path=path, prefix=prefix, **wanted))
    assert all(word in str(caught.value) for word in [path, *words])


def test_checkpoint_to_start_from_is_compared_too(saved):
    config = Config(dict(load_from=saved(prefix='backbone.', depth=18), model=dict(
        backbone=dict(type='mmdet.ResNet', depth=50, **THIN))))
    with pytest.raises(UsageError, match='of another backbone'):
        weights.check_weights(config)


def test_comparing_leaves_the_config_as_it_is(saved):
    """mmdet's Bottleneck pops an entry from the config of its deformable convolution, whose offsets no weights have."""
    deformable = dict(dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=True),
                      stage_with_dcn=(False, True, True, True))
    config = thin_model(50, saved(depth=50), **deformable)
    before = config.to_dict()
    weights.check_weights(config)
    assert config.to_dict() == before


def test_weights_in_the_home_folder_are_found(saved, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    saved(depth=18)
    weights.check_weights(thin_model(18, '~/weights.pth'))


def test_a_backbone_that_is_no_resnet_is_left_to_the_loader(tmp_path):
    """Its constructor may need the values of its tensors, so that it cannot be built without them."""
    class Own(BaseModule):
        def __init__(self, init_cfg=None):
            super().__init__(init_cfg)
            self.width = torch.linspace(0, 1, 4).tolist()
    torch.save(dict(state_dict={}), tmp_path / 'own.pth')
    weights.check_weights(Config(dict(model=dict(backbone=dict(type=Own)), load_from=str(tmp_path / 'own.pth'))))


def trained(tmp_path, weights_of, config):
    """A checkpoint with the config that mmengine stores with the weights."""
    content = torch.load(weights_of)
    path = tmp_path / 'trained.pth'
    torch.save(dict(content, meta=dict(cfg=config)), path)
    return str(path)


PAPER = dict(dmsca, cfg=dict(type='DMSCA', init='paper'))


def test_weights_trained_with_another_range_of_the_gates_are_refused(saved, tmp_path):
    of_paper = Config(dict(dmsca=dmsca, model=dict(backbone=dict(type='ResNet', plugins=[PAPER])))).pretty_text
    path = trained(tmp_path, saved(depth=18, plugins=[PAPER]), of_paper)
    with pytest.raises(UsageError, match="with DMSCA of init='paper', and the config has DMSCA of init='identity'"):
        weights.check_weights(thin_model(18, path, plugins=[dmsca]))
    weights.check_weights(thin_model(18, path, plugins=[PAPER]))


ABLATED = dict(dmsca, cfg=dict(type='DMSCAWithout', without='dii'))


@pytest.mark.parametrize(('stored', 'wanted', 'words'), [
    (dmsca, ABLATED, "with DMSCA of init='identity', and the config has DMSCA without dii of"),
    (ABLATED, dmsca, "with DMSCA without dii of init='identity', and the config has DMSCA of"),
    (PAPER, ABLATED, "with DMSCA of init='paper', and the config has DMSCA without dii of")])
def test_weights_trained_with_other_parts_are_refused(stored, wanted, words, saved, tmp_path):
    """The tensors have the same names and shapes, and those of the ablated part would no longer be zero."""
    of_stored = Config(dict(model=dict(backbone=dict(type='ResNet', plugins=[stored])))).pretty_text
    path = trained(tmp_path, saved(depth=18, plugins=[stored]), of_stored)
    with pytest.raises(UsageError, match=words):
        weights.check_weights(thin_model(18, path, plugins=[wanted]))
    weights.check_weights(thin_model(18, path, plugins=[stored]))


@pytest.mark.parametrize('config', ['', 'model: {backbone: yaml}', 'model = \0',
                                    'optimizer = dict(type="DMSCA", init="paper")',
                                    Config(dict(model=dict(backbone=dict(plugins=[dmsca])))).pretty_text])
def test_weights_that_tell_of_no_other_range_pass(saved, tmp_path, config):
    path = trained(tmp_path, saved(depth=18, plugins=[dmsca]), config)
    weights.check_weights(thin_model(18, path, plugins=[dmsca]))


def test_config_beside_weights_is_not_executed(saved, tmp_path):
    path = trained(tmp_path, saved(depth=18), f'open({str(tmp_path / "touched")!r}, "w")')
    weights.check_weights(thin_model(18, path, plugins=[dmsca]))
    assert not (tmp_path / 'touched').exists()


@pytest.mark.parametrize(('backbone', 'others', 'warned'), [
    (dict(type='mmdet.ResNet'), {}, True), (dict(type='mmdet.ResNeXt'), {}, True),
    (dict(type='PluginResNet', base='mmdet.ResNet'), {}, True), (dict(type='mmseg.ResNet'), {}, False),
    (dict(type='mmdet.ResNet', norm_eval=False), {}, False),
    (dict(type='mmdet.ResNet', norm_cfg=dict(type='GN', num_groups=32)), {}, False),
    (dict(type='mmdet.ResNet', init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')), {}, False),
    (dict(type='mmdet.ResNet', norm_cfg=dict(type=torch.nn.BatchNorm2d)), {}, True),
    (dict(type='mmdet.ResNet', norm_cfg=dict(type=torch.nn.GroupNorm, num_groups=32)), {}, False),
    (dict(type='mmdet.ResNet', init_cfg=dict(type=PretrainedInit, checkpoint='torchvision://resnet50')), {}, False),
    (dict(type='mmdet.ResNet'), dict(load_from='plain.pth'), False)])
def test_batch_norms_that_keep_their_initial_statistics_are_warned_of(backbone, others, warned):
    found = weights.initial_statistics(Config(dict(model=dict(backbone=dict(backbone, depth=50)), **others)))
    assert bool(found) == warned
    assert all('set norm_eval=False, or init_cfg or load_from' in line for line in found)
