"""The preset and the ways to add it to a published config of mmdet or mmseg."""
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope

from dmsca_mm import DMSCA, dmsca, plugin
from dmsca_mm.backbones import check_backbone
from dmsca_mm.config_tree import put_plugin, use_plugin_resnet
from dmsca_mm.errors import UsageError
from dmsca_mm.plugins import PLUGINS, name_apart
from dmsca_mm.runtime.config import load_config

PUBLISHED = {
    'mmdet': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'mmseg': 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py',
}
BLOCKS_PAST_STAGE_1 = 4 + 6 + 3


def built_backbone(config):
    """The backbone of a config as its library builds it, without pretrained weights."""
    backbone = config.model.backbone
    backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return MODELS.build(backbone)


def dmsca_blocks(backbone):
    return [name for name, module in backbone.named_modules() if isinstance(module, DMSCA)]


def test_preset_is_the_plain_dict_that_plugin_makes():
    assert dmsca == plugin() == dict(cfg=dict(type='DMSCA'), stages=(False, True, True, True), position='after_conv3')


def test_plugin_takes_stages_position_and_operator_arguments():
    made = plugin(stages=[True] * 4, position='after_conv2', reduction=8)
    assert made == dict(cfg=dict(type='DMSCA', reduction=8), stages=(True,) * 4, position='after_conv2')


@pytest.mark.parametrize(('arguments', 'error', 'word'), [
    (dict(stages=1), TypeError, 'stages'), (dict(stages='1111'), TypeError, 'stages'),
    (dict(stages=(1, 1, 1, 1)), TypeError, 'stages'), (dict(stages=()), ValueError, 'stages'),
    (dict(position='after_conv4'), ValueError, 'after_conv4'),
    (dict(reduction=0), ValueError, 'reduction'), (dict(widths=3), TypeError, 'widths'),
    (dict(in_channels=64), TypeError, 'in_channels comes from the backbone')])
def test_plugin_refuses_at_once_what_a_build_would_refuse_later(arguments, error, word):
    with pytest.raises(error, match=word):
        plugin(**arguments)


def test_import_is_registered_and_imports_no_library():
    code = ('import sys, dmsca_mm; from mmengine.registry import MODELS; assert MODELS.get("DMSCA") is dmsca_mm.DMSCA; '
            'assert not {"mmdet", "mmseg", "mmcv"} & set(sys.modules)')
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('library', PUBLISHED)
def test_text_config_inherits_a_published_one(library, tmp_path, repository):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = ['{PUBLISHED[library]}', '{repository}/configs/_base_/dmsca.py']\n"
        'model = dict(backbone=dict(plugins=[_base_.dmsca]))\n')
    config = Config.fromfile(tmp_path / 'mine.py')
    assert config.custom_imports.imports == ['dmsca_mm']
    assert len(dmsca_blocks(built_backbone(config))) == BLOCKS_PAST_STAGE_1


@pytest.mark.parametrize('library', PUBLISHED)
def test_text_config_may_import_the_preset(library, tmp_path):
    (tmp_path / 'mine.py').write_text(f"_base_ = '{PUBLISHED[library]}'\nfrom dmsca_mm import dmsca\n"
                                      'model = dict(backbone=dict(plugins=[dmsca]))\n')
    assert len(dmsca_blocks(built_backbone(Config.fromfile(tmp_path / 'mine.py')))) == BLOCKS_PAST_STAGE_1


@pytest.fixture
def python_style(tmp_path):
    """Write a Python-style config based on a published one and return its path."""
    def write(library, plugins, imported):
        get_config(PUBLISHED[library]).dump(tmp_path / 'baseline.py')
        path = tmp_path / 'mine.py'
        path.write_text('from mmengine.config import read_base\n'
                        f'from dmsca_mm import {imported}\n'
                        'with read_base():\n    from .baseline import *\n'
                        f'model.backbone.update(plugins=[{plugins}])\n')
        return path
    return write


@pytest.mark.parametrize('library', PUBLISHED)
def test_python_style_config_names_the_class(library, python_style):
    path = python_style(library, "dict(cfg=dict(type=DMSCA), stages=(False, True, True, True), position='after_conv3')",
                        'DMSCA')
    assert len(dmsca_blocks(built_backbone(Config.fromfile(path)))) == BLOCKS_PAST_STAGE_1


@pytest.mark.parametrize('library', PUBLISHED)
def test_python_style_config_with_the_preset_goes_through_our_tools(library, python_style):
    config = load_config(str(python_style(library, 'dmsca', 'dmsca')))
    assert config.model.backbone.plugins == [dmsca]
    assert len(dmsca_blocks(built_backbone(config))) == BLOCKS_PAST_STAGE_1


@pytest.mark.parametrize(('library', 'blocks'), [('mmdet', BLOCKS_PAST_STAGE_1), ('mmseg', 3 + BLOCKS_PAST_STAGE_1)])
def test_put_plugin_goes_into_every_stage_that_trains(library, blocks):
    config = load_config(PUBLISHED[library], plugin='dmsca')
    assert config.custom_imports.imports == ['dmsca_mm']
    assert len(dmsca_blocks(built_backbone(config))) == blocks


@pytest.mark.parametrize('name', [name for name in PLUGINS if name != 'none'])
def test_every_plugin_builds_by_its_word_in_a_published_config(name):
    config = load_config(PUBLISHED['mmdet'], plugin=name)
    config.model.backbone.base_channels = config.model.backbone.stem_channels = 16
    backbone = built_backbone(config)
    attention = {'ga': 'gen_attention_block'}.get(name, name.split('_')[0])
    assert hasattr(backbone.layer2[0], attention)
    assert not hasattr(backbone.layer1[0], attention), 'the first stage is frozen'


@pytest.mark.parametrize(('backbone', 'words'), [
    (dict(type='mmdet.HRNet'), ['HRNet', 'no plugins']),
    (dict(type='mmseg.MixVisionTransformer'), ['MixVisionTransformer', 'no plugins']),
    (dict(type='mmdet.ResNet', depth=51), ['ResNet', '51', '18, 34, 50, 101, 152']),
    (dict(type='NoSuchNet'), ['NoSuchNet', 'registered nowhere'])])
def test_backbone_without_plugins_is_named(backbone, words):
    with pytest.raises(UsageError) as caught:
        put_plugin(Config(dict(model=dict(backbone=backbone))), 'dmsca')
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize('kind', ['mmdet.ResNet', 'PluginResNet'])
@pytest.mark.parametrize(('changes', 'words'), [
    (dict(stages=(True,) * 3), ['3 entries', '4 stages']),
    (dict(position='after_conv4'), ['after_conv4', 'after_conv1, after_conv2, after_conv3']),
    (dict(cfg=dict(type='DMSCA', reduction=0)), ['DMSCA', 'reduction', '0']),
    (dict(cfg=None), ['names no operator', "cfg=dict(type='DMSCA')"]),
    (dict(cfg=dict(reduction=8)), ['names no operator', 'reduction']),
    (dict(cfg=dict(type='DMSCA', width=3)), ['DMSCA', 'width']),
    (dict(cfg=dict(type='mmengine.DMSCA', reduction=0)), ['DMSCA', 'reduction', '0']),
    (dict(cfg=dict(type='DMSCA', in_channels=8)), ['DMSCA', 'in_channels comes from the backbone']),
    (dict(stages=('False', 'True', 'True', 'True')), ["'False'", 'a list of True and False']),
    (dict(stages=(1, 2, 3, 4)), ['(1, 2, 3, 4)', 'a list of True and False']),
    ('dmsca', ['names no operator: write dict'])])
def test_plugin_that_does_not_fit_the_backbone_is_named_with_both_sides(kind, changes, words):
    base = dict(base='mmdet.ResNet') if kind == 'PluginResNet' else {}
    entry = {**dmsca, **changes} if isinstance(changes, dict) else changes
    with pytest.raises(UsageError) as caught:
        check_backbone(dict(type=kind, depth=18, plugins=[entry], **base))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize('library', PUBLISHED)
def test_two_plugins_of_a_kind_in_a_config_build_with_names_of_their_own(library):
    config = get_config(PUBLISHED[library])
    config.model.backbone.plugins = [dmsca, plugin(position='after_conv2'), dict(dmsca, cfg=dict(type='SE'))]
    use_plugin_resnet(config)
    block = built_backbone(config).layer2[0]
    assert (block.after_conv2_plugin_names, block.after_conv3_plugin_names) == (['dmsca2'], ['dmsca', 'se'])


def postfixes(*plugins):
    return [entry['cfg'].get('postfix', '') for entry in name_apart(plugins, 4)]


def test_names_of_plugins_change_only_where_they_meet():
    first, rest = dict(dmsca, stages=(True, False, False, False)), dmsca
    assert postfixes(first, rest) == ['', '']
    assert postfixes(rest, rest, rest) == ['', '2', '3']
    assert postfixes(rest, rest, plugin(postfix='2')) == ['', '3', '2']
    with pytest.raises(UsageError, match=r'two plugins DMSCA in a block have postfix=.a.: give one'):
        postfixes(plugin(postfix='a'), plugin(postfix='a'))


@pytest.mark.parametrize('init_cfg', [None, [dict(type='Kaiming', layer='Conv2d'),
                                             dict(type='Constant', layer='BatchNorm2d', val=1)]])
@pytest.mark.parametrize('kind', ['mmdet.ResNet', 'mmseg.ResNet'])
def test_identity_start_survives_init_weights_of_a_resnet(kind, init_cfg):
    thin = dict(type=kind, depth=50, base_channels=8, stem_channels=8)
    backbone = MODELS.build(dict(**thin, plugins=[dmsca], init_cfg=init_cfg))
    backbone.init_weights()
    found = [module for module in backbone.modules() if isinstance(module, DMSCA)]
    assert len(found) == BLOCKS_PAST_STAGE_1
    for module in found:
        x = torch.randn(1, module.in_channels, 4, 4)
        assert torch.equal(module(x), x)
