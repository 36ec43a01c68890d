"""Backbones that support the plugin contain, use and train it; the others are refused by name.

A test compares them with the table in docs/configs.md.
"""
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from dmsca_mm import DMSCA, dmsca
from dmsca_mm.compat import requirements
from dmsca_mm.config_tree import use_plugin_resnet
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.model import check_model

BLOCKS = {18: 8, 50: 16}
BLOCKS_OF_THREE_STAGES = 3 + 4 + 6
POSITIONS = ('after_conv1', 'after_conv2', 'after_conv3')
THIN = dict(base_channels=16, stem_channels=16)
GROUPED = dict(depth=50, groups=16, base_width=8)  # twice as wide inside as a ResNet
TRIDENT = dict(depth=50, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), trident_dilations=(1, 2, 3),
               out_indices=(2,), num_branch=3, test_branch_idx=1, **THIN)
SPLIT = dict(depth=50, radix=2, reduction_factor=4, avg_down_stride=True, stem_channels=16, base_channels=16)

# backbone: its arguments, and the positions at which it supports the plugin
TAKES = {
    'mmdet.ResNet': (dict(depth=50, **THIN), POSITIONS),
    'mmdet.ResNetV1d': (dict(depth=50, **THIN), POSITIONS),
    'mmdet.ResNeXt': (GROUPED, POSITIONS),
    'mmdet.RegNet': (dict(arch='regnetx_400mf'), POSITIONS),
    'mmdet.Res2Net': (dict(depth=50, scales=4, base_width=26), ('after_conv3',)),
    'mmdet.ResNeSt': (SPLIT, POSITIONS),
    'mmdet.DetectoRS_ResNet': (dict(depth=50, **THIN), POSITIONS),
    'mmdet.DetectoRS_ResNeXt': (GROUPED, ('after_conv3',)),
    'mmdet.TridentResNet': (TRIDENT, POSITIONS),
    'mmseg.ResNet': (dict(depth=50, **THIN), POSITIONS),
    'mmseg.ResNetV1c': (dict(depth=50, **THIN), POSITIONS),
    'mmseg.ResNetV1d': (dict(depth=50, **THIN), POSITIONS),
    'mmseg.ResNeXt': (GROUPED, ('after_conv3',)),
    'mmseg.ResNeSt': (SPLIT, POSITIONS),
}
THROUGH_OURS = ('mmdet.ResNet', 'mmdet.ResNetV1d', 'mmseg.ResNet', 'mmseg.ResNetV1c', 'mmseg.ResNetV1d')
REFUSES = ('mmdet.HRNet', 'mmseg.HRNet', 'mmdet.SwinTransformer', 'mmseg.SwinTransformer', 'mmdet.CSPDarknet',
           'mmdet.MobileNetV2', 'mmseg.MobileNetV2', 'mmseg.MixVisionTransformer', 'mmpretrain.ResNet',
           'mmpretrain.SEResNet', 'mmpretrain.SEResNeXt')


def learns_everywhere(backbone, blocks):
    """Check that each block has a plugin, and that each plugin's output reaches the backbone's."""
    plugins = [module for module in backbone.modules() if isinstance(module, DMSCA)]
    assert len(plugins) == blocks
    backbone.train()
    sum(output.square().mean() for output in backbone(torch.randn(2, 3, 128, 128))).backward()
    assert all(plugin.aa.conv.weight.grad is not None and plugin.aa.conv.weight.grad.any() for plugin in plugins)


def config_of(kind, position, options):
    entry = dict(dmsca, stages=(True,) * options.get('num_stages', 4), position=position)
    return Config(dict(model=dict(backbone=dict(type=kind, plugins=[entry], **options))))


@pytest.mark.parametrize(('kind', 'position'), [(kind, place) for kind, (_, taken) in TAKES.items() for place in taken])
def test_backbone_has_uses_and_trains_the_plugin(kind, position):
    torch.manual_seed(0)
    config = config_of(kind, position, TAKES[kind][0])
    check_model(config)
    options = TAKES[kind][0]
    blocks = 22 if 'arch' in options else BLOCKS_OF_THREE_STAGES if 'num_stages' in options else BLOCKS[50]
    learns_everywhere(MODELS.build(config.model.backbone), blocks)


@pytest.mark.parametrize('position', POSITIONS)
@pytest.mark.parametrize('kind', THROUGH_OURS)
def test_shallow_resnet_does_so_through_ours(kind, position):
    torch.manual_seed(0)
    config = config_of(kind, position, dict(depth=18, **THIN))
    use_plugin_resnet(config)
    assert config.model.backbone.type == 'PluginResNet'
    check_model(config)
    learns_everywhere(MODELS.build(config.model.backbone), BLOCKS[18])


@pytest.mark.parametrize('kind', REFUSES)
def test_other_backbones_refuse_by_name(kind):
    requirements.require(kind.split('.')[0])
    init_default_scope(kind.split('.')[0])
    library, name = kind.split('.')
    way = "in a classifier, use type='PluginResNet'" if library == 'mmpretrain' else 'use a ResNet of mmdet or mmseg'
    config = Config(dict(model=dict(backbone=dict(type=kind, plugins=[dmsca]))))
    use_plugin_resnet(config)
    with pytest.raises(UsageError, match=f'{name} takes no plugins: {way}'):
        check_model(config)


@pytest.mark.parametrize(('kind', 'position'), [
    (kind, place) for kind, (_, taken) in TAKES.items() for place in POSITIONS if place not in taken])
def test_position_for_which_the_library_builds_the_wrong_width_is_refused(kind, position):
    with pytest.raises(UsageError, match=rf"{position}: {kind.split('.')[1]} builds .* use position='after_conv3'"):
        check_model(config_of(kind, position, TAKES[kind][0]))


def test_the_documents_table_is_what_is_tested(repository):
    rows = re.findall(r'^\| (`\w+\.\w+`.*?) \| (.*) \|$', (repository / 'docs/configs.md').read_text(), re.MULTILINE)
    documented = {kind: (tuple(re.findall(r'after_conv\d', text)), '18 and 34' in text)
                  for kinds, text in rows for kind in re.findall(r'`(\w+\.\w+)`', kinds)}
    taken = {**{kind: positions for kind, (_, positions) in TAKES.items()}, **dict.fromkeys(REFUSES, ())}
    assert documented == {kind: (positions, kind in THROUGH_OURS) for kind, positions in taken.items()}
