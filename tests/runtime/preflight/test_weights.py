"""Weights that are missing or need what is not there are named."""
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from dmsca_mm import dmsca
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


THIN = dict(base_channels=8, stem_channels=8)


@pytest.fixture
def saved(tmp_path):
    """Writes the weights of a backbone; gives the path."""
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
    """mmdet's Bottleneck takes an entry out of the dict of its deformable convolution."""
    deformable = dict(dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=True),
                      stage_with_dcn=(False, True, True, True))
    config = thin_model(50, saved(depth=50), **deformable)
    before = config.to_dict()
    with pytest.raises(UsageError, match='of another backbone'):
        weights.check_weights(config)
    assert config.to_dict() == before


def trained(tmp_path, weights_of, config):
    """A checkpoint with the config that mmengine stores beside the weights."""
    content = torch.load(weights_of)
    path = tmp_path / 'trained.pth'
    torch.save(dict(content, meta=dict(cfg=config)), path)
    return str(path)


PAPER = dict(dmsca, cfg=dict(type='DMSCA', init='paper'))


def test_weights_trained_with_another_range_of_the_gates_are_refused(saved, tmp_path):
    of_paper = Config(dict(dmsca=dmsca, model=dict(backbone=dict(type='ResNet', plugins=[PAPER])))).pretty_text
    path = trained(tmp_path, saved(depth=18, plugins=[PAPER]), of_paper)
    with pytest.raises(UsageError, match="with DMSCA of init='paper', and the config has init='identity'"):
        weights.check_weights(thin_model(18, path, plugins=[dmsca]))
    weights.check_weights(thin_model(18, path, plugins=[PAPER]))


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
