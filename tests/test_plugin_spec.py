"""Values of ``--plugin``: names with arguments, several of them, and any registered layer."""
import pytest
from mmcv.cnn import ContextBlock
from mmengine.registry import MODELS

from dmsca_mm import DMSCA
from dmsca_mm.attention.peers import SE
from dmsca_mm.errors import UsageError
from dmsca_mm.plugin_spec import plugins_of
from dmsca_mm.runtime.config import load_config

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


def entry(kind, position='after_conv3', stages=None, **arguments):
    return dict(cfg=dict(type=kind, **arguments), position=position, **({} if stages is None else dict(stages=stages)))


@pytest.mark.parametrize(('spec', 'expected'), [
    ('none', []),
    ('dmsca', [entry('DMSCA')]),
    ('se:reduction=8', [entry('SE', reduction=8)]),
    ('dmsca:kernel_sizes=(3,5),init=paper,temperature=1e-1',
     [entry('DMSCA', kernel_sizes=(3, 5), init='paper', temperature=0.1)]),
    ('dmsca:position=after_conv2,stages=(False,True,True,True),reduction=4',
     [entry('DMSCA', 'after_conv2', (False, True, True, True), reduction=4)]),
    ('se+dmsca:reduction=4+eca', [entry('SE'), entry('DMSCA', reduction=4), entry('ECA')]),
    ('ContextBlock:ratio=0.0625', [entry('ContextBlock', ratio=0.0625)])])
def test_text_stands_for_plugin_dicts(spec, expected):
    assert plugins_of(spec) == expected


@pytest.mark.parametrize(('spec', 'words'), [
    ('none-such', ["unknown plugin 'none-such'", 'dmsca, se']), ('none+se', ["unknown plugin 'none'"]),
    ('se+', ["unknown plugin 'se+'"]), ('', ["unknown plugin ''"]), ('se:', ["plugin argument ''", 'KEY=VALUE']),
    ('se:8', ["plugin argument '8' is not KEY=VALUE"]), ('se:reduction=', ["'reduction='"])])
def test_what_stands_for_none_is_refused(spec, words):
    with pytest.raises(UsageError) as caught:
        plugins_of(spec)
    assert all(word in str(caught.value) for word in words)


def backbone_with(spec):
    config = load_config(RETINANET, plugin=spec)
    config.model.backbone.update(base_channels=16, stem_channels=16)
    return MODELS.build(config.model.backbone)


def test_several_are_in_each_block_that_trains_in_their_order():
    backbone = backbone_with('se:reduction=4+dmsca:reduction=8')
    block = backbone.layer2[0]
    assert block.after_conv3_plugin_names == ['se', 'dmsca']
    assert (type(block.se), type(block.dmsca)) == (SE, DMSCA)
    assert (block.se.fc1.out_channels, block.dmsca.gce.fc1.out_channels) == (128 // 4, 128 // 8)
    assert not hasattr(backbone.layer1[0], 'se'), 'the first stage is frozen'


def test_stages_and_position_are_those_that_were_given():
    backbone = backbone_with('dmsca:position=after_conv2,stages=(False,False,False,True)')
    assert [hasattr(layer[0], 'dmsca') for layer in (backbone.layer1, backbone.layer3, backbone.layer4)] == [
        False, False, True]
    assert backbone.layer4[0].after_conv2_plugin_names == ['dmsca']


def test_layer_of_a_library_is_taken_by_its_type():
    assert isinstance(backbone_with('ContextBlock:ratio=0.25').layer2[0].context_block, ContextBlock)


@pytest.mark.parametrize(('spec', 'words'), [
    ('dmsca:spoons=3', 'plugin DMSCA: .*spoons.*; it takes .*kernel_sizes'), ('se:spoons=3', 'plugin SE: .*spoons'),
    ('cbam:kernel_size=4', 'plugin CBAM: kernel_size.*4'), ('dmsca:reduction=0', 'reduction'),
    ('dmsca:position=after_conv9', 'after_conv9'), ('dmsca:stages=(True,)', '1 entries'),
    ('dmsca:postfix=1+dmsca:postfix=1', 'postfix')])
def test_argument_that_does_not_fit_is_named(spec, words):
    with pytest.raises(UsageError, match=words):
        load_config(RETINANET, plugin=spec)
