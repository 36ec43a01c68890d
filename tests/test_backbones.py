"""ResNets that support plugins at every depth: the libraries' function and parameter names, with the plugins inside."""
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from dmsca_mm import DMSCA, dmsca
from dmsca_mm.backbones import check_backbone
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.model import check_model
from dmsca_mm.runtime.config import load_config

THIN = dict(base_channels=8, stem_channels=8)
EVERYWHERE = dict(dmsca, stages=(True,) * 4)
BASIC_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
VARIANTS = {
    'mmdet': ('mmdet.ResNet', {}),
    'mmseg': ('mmseg.ResNet', {}),
    'V1d': ('mmdet.ResNetV1d', {}),
    'V1c, dilated': ('mmseg.ResNetV1c', dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True)),
    'three stages': ('mmdet.ResNet', dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 2))),
    'deep stem, average down': ('mmseg.ResNet', dict(deep_stem=True, avg_down=True)),
    'checkpointed': ('mmdet.ResNet', dict(with_cp=True)),
}


def built(**arguments):
    return MODELS.build(dict(type='PluginResNet', **arguments))


def scrambled(model):
    """Randomize weights and statistics, so that every norm and plugin has an effect."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.2, 0.2)
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize('depth', [18, 34, 50])
@pytest.mark.parametrize('variant', VARIANTS)
def test_without_plugins_it_is_the_librarys_resnet_bit_for_bit(variant, depth):
    kind, options = VARIANTS[variant]
    theirs = scrambled(MODELS.build(dict(type=kind, depth=depth, **THIN, **options)))
    ours = built(base=kind, depth=depth, **THIN, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 3, 40, 48)
    for training in (False, True):
        results = []
        for model in (ours, theirs):
            model.train(training)
            inputs = x.clone().requires_grad_()
            outputs = model(inputs)
            sum(output.sum() for output in outputs).backward()
            results.append((outputs, [inputs.grad, *(p.grad for p in model.parameters())]))
        (outputs, gradients), (their_outputs, their_gradients) = results
        assert all(torch.equal(a, b) for a, b in zip(outputs, their_outputs, strict=True))
        for a, b in zip(gradients, their_gradients, strict=True):
            if options.get('with_cp'):  # torch's two ways of checkpointing sum gradients in different orders
                torch.testing.assert_close(a, b)
            else:
                assert torch.equal(a, b)


@pytest.mark.parametrize('zero', [True, False])
def test_its_start_is_the_librarys(zero):
    states = []
    for kind, base in (('PluginResNet', dict(base='mmdet.ResNet')), ('mmdet.ResNet', {})):
        torch.manual_seed(0)
        model = MODELS.build(dict(type=kind, depth=18, zero_init_residual=zero, **THIN, **base))
        model.init_weights()
        states.append(model.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert bool(states[0]['layer1.0.bn2.weight'].any()) != zero


def torchvision_names(depth):
    """The parameters and statistics of torchvision's ResNet, as published weights name them, without the classifier."""
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    names = {'conv1.weight', *(f'bn1.{part}' for part in norm)}
    for stage, blocks in enumerate(BASIC_BLOCKS[depth], start=1):
        for block in range(blocks):
            prefix = f'layer{stage}.{block}'
            for place in (1, 2):
                names |= {f'{prefix}.conv{place}.weight', *(f'{prefix}.bn{place}.{part}' for part in norm)}
            if block == 0 and stage > 1:
                names |= {f'{prefix}.downsample.0.weight', *(f'{prefix}.downsample.1.{part}' for part in norm)}
    return names


@pytest.mark.parametrize('depth', BASIC_BLOCKS)
def test_published_weights_miss_nothing_but_the_plugins(depth):
    found = set(built(base='mmdet.ResNet', depth=depth, plugins=[EVERYWHERE]).state_dict())
    plugins = {name for name in found if '.dmsca.' in name}
    assert len({name.split('.dmsca.')[0] for name in plugins}) == sum(BASIC_BLOCKS[depth])
    assert found - plugins == torchvision_names(depth)


@pytest.mark.parametrize(('position', 'before', 'after'), [
    ('after_conv1', 'relu', 'conv2'), ('after_conv2', 'bn2', 'downsample'), ('after_conv3', 'bn2', 'downsample')])
def test_plugin_sits_where_its_position_says(position, before, after):
    block = built(base='mmdet.ResNet', depth=18, plugins=[dict(EVERYWHERE, position=position)], **THIN).layer2[0]
    order = []
    for name, module in block.named_children():
        module.register_forward_hook(lambda *_, name=name: order.append(name))
    block(torch.randn(1, 8, 8, 8))
    assert order[order.index('dmsca') - 1:order.index('dmsca') + 2] == [before, 'dmsca', after]


def test_positions_and_operators_can_be_combined():
    plugins = [dict(EVERYWHERE, position='after_conv1'), dict(EVERYWHERE, cfg=dict(type='DMSCA', postfix='_last')),
               dict(EVERYWHERE, cfg=dict(type='SE'), stages=(False, True, False, False))]
    model = built(base='mmseg.ResNet', depth=18, plugins=plugins, **THIN)
    assert [name for name, _ in model.layer2[0].named_children()][-3:] == ['dmsca', 'dmsca_last', 'se']
    assert not hasattr(model.layer1[0], 'se')


def test_two_of_a_kind_in_a_block_get_names_of_their_own():
    twice = [EVERYWHERE, dict(EVERYWHERE, position='after_conv1')]
    model = built(base='mmdet.ResNet', depth=18, plugins=twice, **THIN)
    assert [name for name, _ in model.layer2[0].named_children()][-2:] == ['dmsca', 'dmsca2']


@pytest.mark.parametrize('with_cp', [False, True])
def test_gradients_reach_every_plugin(with_cp):
    plugins = [dict(EVERYWHERE, cfg=dict(type='DMSCA', init='paper'))]
    model = built(base='mmdet.ResNet', depth=18, plugins=plugins, with_cp=with_cp, **THIN)
    found, calls = [module for module in model.modules() if isinstance(module, DMSCA)], []
    for module in found:
        module.register_forward_pre_hook(lambda module, _: calls.append(module))
    sum(output.square().sum() for output in model(torch.randn(2, 3, 32, 32))).backward()
    assert len(found) == 8
    assert len(calls) == (16 if with_cp else 8), 'checkpointing computes each block again'
    assert all(parameter.grad is not None and parameter.grad.isfinite().all()
               for module in found for parameter in module.parameters())


@pytest.mark.parametrize('depth', [18, 50])
def test_identity_start_leaves_a_shallow_network_as_it_was(depth):
    theirs = scrambled(MODELS.build(dict(type='mmdet.ResNet', depth=depth, **THIN)))
    ours = built(base='mmdet.ResNet', depth=depth, plugins=[EVERYWHERE], **THIN)
    ours.init_weights()
    assert set(ours.load_state_dict(theirs.state_dict(), strict=False).unexpected_keys) == set()
    x = torch.randn(1, 3, 64, 64)
    ours.eval(), theirs.eval()
    assert all(torch.equal(a, b) for a, b in zip(ours(x), theirs(x), strict=True))


def test_small_stem_keeps_the_size_of_small_images():
    model = built(base='mmdet.ResNet', depth=18, small_stem=True, frozen_stages=0, **THIN)
    assert [tuple(output.shape[1:]) for output in model(torch.randn(1, 3, 32, 32))] == [
        (8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]
    assert model.conv1.weight.shape == (8, 3, 3, 3)
    assert not model.conv1.weight.requires_grad, 'frozen with the stem'
    with pytest.raises(ValueError, match='small_stem=True and deep_stem=True'):
        built(base='mmdet.ResNet', depth=18, small_stem=True, deep_stem=True)


PUBLISHED = {'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py': 6,
             'mmdet::faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py': 6,
             'mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py': 8,
             'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py': 8}


@pytest.mark.parametrize('name', PUBLISHED)
def test_plugin_goes_into_published_shallow_configs(name, tmp_path):
    """With --plugin, and with plugins=[dmsca] in a derived config; the dumped config does not need our tools."""
    library = name.split('::')[0]
    stages = '(False, True, True, True)' if library == 'mmdet' else '(True, True, True, True)'
    (tmp_path / 'mine.py').write_text(f"_base_ = '{name}'\nfrom dmsca_mm import dmsca\n"
                                      f'model = dict(backbone=dict(plugins=[dict(dmsca, stages={stages})]))\n')
    load_config(name, plugin='dmsca').dump(tmp_path / 'dumped.py')
    for config in (load_config(name, plugin='dmsca'), load_config(str(tmp_path / 'mine.py')),
                   Config.fromfile(tmp_path / 'dumped.py')):
        assert config.custom_imports.imports == ['dmsca_mm']
        config.model.backbone.init_cfg = None
        with DefaultScope.overwrite_default_scope(library):
            backbone = MODELS.build(config.model.backbone)
        assert isinstance(backbone, MODELS.get(f'{library}.ResNet'))
        assert sum(isinstance(module, DMSCA) for module in backbone.modules()) == PUBLISHED[name]
    assert load_config(name).model.backbone.type == get_config(name).model.backbone.type


def test_class_in_place_of_its_name(tmp_path):
    """As in a Python-style config."""
    (tmp_path / 'mine.py').write_text(
        'from mmdet.models import ResNet\nfrom dmsca_mm import dmsca\nfrom mmengine.config import read_base\n'
        'with read_base():\n    from .baseline import *\n'
        "model = dict(backbone=dict(type=ResNet, depth=18, plugins=[dmsca]))\ndefault_scope = 'mmdet'\n")
    (tmp_path / 'baseline.py').write_text('nothing = 0\n')
    load_config(str(tmp_path / 'mine.py')).dump(tmp_path / 'dumped.py')
    for config in (load_config(str(tmp_path / 'mine.py')), Config.fromfile(tmp_path / 'dumped.py')):
        assert hasattr(MODELS.build(config.model.backbone).layer2[0], 'dmsca')


def test_plugin_resnet_by_its_function_in_a_python_style_config(tmp_path):
    (tmp_path / 'mine.py').write_text(
        'from dmsca_mm.backbones import plugin_resnet\nfrom dmsca_mm import dmsca\n'
        'from mmengine.config import read_base\n'
        'with read_base():\n    from .baseline import *\n'
        "model = dict(backbone=dict(type=plugin_resnet, depth=18, plugins=[dmsca]))\ndefault_scope = 'mmdet'\n")
    (tmp_path / 'baseline.py').write_text('nothing = 0\n')
    load_config(str(tmp_path / 'mine.py')).dump(tmp_path / 'dumped.py')
    for name in ('mine.py', 'dumped.py'):
        config = load_config(str(tmp_path / name))
        check_model(config)
        assert hasattr(MODELS.build(config.model.backbone).layer2[0], 'dmsca')


def test_plugin_resnet_with_the_scope_in_its_name():
    arguments = dict(type='mmengine.PluginResNet', base='mmdet.ResNet', depth=18, plugins=[dmsca])
    check_backbone(arguments)
    assert hasattr(MODELS.build(arguments).layer2[0], 'dmsca')


@pytest.mark.parametrize('depth', [18, 50])
def test_a_pickled_backbone_is_of_the_same_class_and_computes_the_same(depth):
    model = scrambled(built(base='mmdet.ResNet', depth=depth, plugins=[dmsca], **THIN))
    model.eval()
    other = pickle.loads(pickle.dumps(model))
    assert type(other) is type(model)
    x = torch.randn(1, 3, 32, 32)
    assert all(map(torch.equal, other(x), model(x)))


@pytest.mark.parametrize(('arguments', 'words'), [
    (dict(depth=18), ['ResNet', 'registered nowhere', 'mmdet.ResNet']),
    (dict(base='mmdet.ResNet', depth=20), ['no depth 20', '18, 34, 50, 101, 152']),
    (dict(base='mmdet.HRNet', plugins=[EVERYWHERE]), ['HRNet', 'takes no plugins: use a ResNet of mmdet']),
    (dict(base='mmdet.ResNet', depth=18, plugins=[dict(dmsca, stages=(True,))]), ['1 entries', '4 stages']),
    (dict(base='mmdet.ResNet', depth=18, plugins=[dict(dmsca, position='before_conv1')]),
     ['before_conv1', 'after_conv2'])])
def test_what_it_cannot_build_is_named(arguments, words):
    with DefaultScope.overwrite_default_scope('mmengine'), pytest.raises(UsageError) as caught:
        built(**arguments)
    assert all(word in str(caught.value) for word in words)


def test_library_code_that_asks_for_a_basic_block_finds_one():
    from mmdet.models.backbones.resnet import BasicBlock
    assert all(isinstance(block, BasicBlock) and isinstance(block, nn.Module)
               for block in built(base='mmdet.ResNet', depth=18, **THIN).layer1)
