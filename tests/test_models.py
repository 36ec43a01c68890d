"""Other published detectors and segmenters than the headline ones, with the plugin: built, trained a step, tested."""
import numpy as np
import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData

from dmsca_mm import DMSCA
from dmsca_mm.checkpoint.sources import forget_pretrained
from dmsca_mm.runtime.config import load_config

SIDE = 64

# Channels after the backbone at a quarter of its width, with which a step takes a second.
WIDTHS = {50: [64, 128, 256, 512], 18: [16, 32, 64, 128]}


def detector(depth, blocks):
    return blocks, {'model.neck.in_channels': WIDTHS[depth]}


def segmenter(depth, blocks, **more):
    heads = {f'model.{head}_head.{name}': value for head, width in (('decode', WIDTHS[depth][3]),
                                                                    ('auxiliary', WIDTHS[depth][2]))
             for name, value in (('in_channels', width), ('channels', 32))}
    return blocks, {**heads, **more}


DETECTORS = {
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py': detector(50, blocks=13),
    'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py': detector(50, blocks=13),
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py': detector(50, blocks=13),
    'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py': detector(18, blocks=6),
}
SEGMENTERS = {
    'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb4-80k_ade20k-512x512.py':
        segmenter(50, blocks=16, **{'model.decode_head.c1_in_channels': 64}),
    'mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py': segmenter(50, blocks=16),
    'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py': segmenter(18, blocks=8),
}


THIN = {'model.backbone.base_channels': 16, 'model.backbone.stem_channels': 16}


def built(name, options):
    """The model of a published config with --plugin dmsca, its optimizer, and its plugins."""
    torch.manual_seed(0)
    config = load_config(name, {**THIN, **options}, plugin='dmsca')
    init_default_scope(config.default_scope)
    forget_pretrained(config.model)
    config.model.backbone.zero_init_residual = False  # a zero, which no pretrained net has, would block gradients
    model = revert_sync_batchnorm(MODELS.build(config.model))
    model.init_weights()
    return model, build_optim_wrapper(model, config.optim_wrapper), [m for m in model.modules() if isinstance(m, DMSCA)]


def detected(mask):
    """Two images with an object each."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    box = torch.tensor([[10., 15., 45., 50.]])
    truth = InstanceData(bboxes=box, labels=torch.tensor([1]))
    if mask:
        inside = np.zeros((1, SIDE, SIDE), np.uint8)
        inside[:, 15:50, 10:45] = 1
        truth.masks = BitmapMasks(inside, SIDE, SIDE)
    samples = [DetDataSample(gt_instances=truth.clone(), ignored_instances=InstanceData(bboxes=box[:0]))
               for _ in range(2)]
    return batch(samples)


def segmented():
    """Two images with a label for each pixel."""
    from mmseg.structures import SegDataSample
    return batch([SegDataSample(gt_sem_seg=PixelData(data=torch.randint(19, (1, SIDE, SIDE)))) for _ in range(2)])


def batch(samples):
    for sample in samples:
        sample.set_metainfo(dict(img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE), pad_shape=(SIDE, SIDE),
                                 batch_input_shape=(SIDE, SIDE), scale_factor=(1., 1.), img_id=0))
    return dict(inputs=[torch.randint(256, (3, SIDE, SIDE), dtype=torch.uint8) for _ in samples], data_samples=samples)


@pytest.mark.parametrize('name', [*DETECTORS, *SEGMENTERS])
def test_published_model_with_the_plugin_takes_a_training_step_and_predicts(name):
    blocks, options = {**DETECTORS, **SEGMENTERS}[name]
    model, optimizer, plugins = built(name, options)
    assert len(plugins) == blocks
    data = segmented() if name in SEGMENTERS else detected('mask' in name)
    before = [plugin.aa.conv.weight.clone() for plugin in plugins]
    assert not any(weight.any() for weight in before), 'they start as the identity'
    model.train()
    losses = model.train_step(data, optimizer)
    assert all(torch.isfinite(loss).all() for loss in losses.values())
    assert all(plugin.aa.conv.weight.any() for plugin in plugins), 'every plugin has learnt'
    model.eval()
    with torch.no_grad():
        found = model.test_step(data)
    assert len(found) == 2
    if name in SEGMENTERS:
        assert found[0].pred_sem_seg.data.shape == (1, SIDE, SIDE)
    else:
        assert found[0].pred_instances.bboxes.shape[1:] == (4,)
        assert ('masks' in found[0].pred_instances) == ('mask' in name)


@pytest.mark.parametrize('name', ['mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
                                  'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
                                  'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'])
def test_with_pretrained_weights_the_first_outputs_are_the_plain_models(name, tmp_path):
    """With the same classification weights, the plain model and the one with the plugin have equal outputs."""
    path, models = tmp_path / 'classifier.pth', []
    for plugin in ('none', 'dmsca'):
        config = load_config(name, {**THIN, **{**DETECTORS, **SEGMENTERS}[name][1]}, plugin=plugin)
        init_default_scope(config.default_scope)
        forget_pretrained(config.model)
        config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(path))
        model = revert_sync_batchnorm(MODELS.build(config.model))
        if plugin == 'none':
            state = {key: value + torch.rand_like(value) if value.dim() == 1 else value  # every norm has an effect
                     for key, value in model.backbone.state_dict().items()}
            torch.save({**state, 'fc.weight': torch.zeros(10, 512), 'fc.bias': torch.zeros(10)}, path)
        model.init_weights()
        model.eval()
        models.append(model)
    plain, attending = models
    assert all(torch.equal(attending.backbone.state_dict()[key], value) for key, value in state.items())
    heads = {key: value for key, value in plain.state_dict().items() if not key.startswith('backbone.')}
    attending.load_state_dict(heads, strict=False)  # the heads have random weights
    data = attending.data_preprocessor(segmented() if name in SEGMENTERS else detected('mask' in name))
    with torch.no_grad():
        outputs = [flat(model(**data, mode='tensor')) for model in models]
    assert len(outputs[0]) == len(outputs[1]) > 0
    assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))
    assert any(output.any() for output in outputs[0])


def flat(outputs):
    """Every tensor in nested tuples, lists and dicts."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for value in values for tensor in flat(value)]
