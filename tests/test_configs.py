"""The headline configs are the published baselines plus the plugin; their models run at full image size."""
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from dmsca_mm import DMSCA, dmsca

BASELINES = {
    'faster_rcnn_r50_dmsca': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'retinanet_r50_dmsca': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'upernet_r50_dmsca': 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py',
}
DETECTORS = [name for name in BASELINES if not name.startswith('upernet')]


@pytest.fixture
def config(request, repository):
    return Config.fromfile(repository / f'configs/{request.param}.py')


@pytest.mark.parametrize(('config', 'baseline'), BASELINES.items(), indirect=['config'])
def test_headline_differs_from_the_baseline_in_plugin_and_import_alone(config, baseline, tmp_path):
    (tmp_path / 'plain.py').write_text(f'_base_ = {baseline!r}\n')
    ours = config.to_dict()
    assert ours.pop('custom_imports') == dict(imports=['dmsca_mm'], allow_failed_imports=False)
    assert ours.pop('dmsca') == dmsca, 'the preset that the plugin entry is made of'
    entry, = ours['model']['backbone'].pop('plugins')
    stages = (True,) * 4 if config.default_scope == 'mmseg' else dmsca['stages']
    assert entry == {**dmsca, 'stages': stages}
    assert ours == Config.fromfile(tmp_path / 'plain.py').to_dict()


def without_pretrained_weights(model):
    """Nothing is downloaded in a test, and one process without CUDA has no SyncBN."""
    model.backbone.init_cfg = None
    model.pop('pretrained', None)
    model.backbone.norm_cfg = dict(type='BN', requires_grad=True)
    return model


def one_training_step(config):
    """Loss and backward on one batch of the config's own loader; gives the batch, the model and the loss.

    Without init_weights: mmdet would zero the norm before each plugin, and nothing behind a zero has a gradient.
    """
    with DefaultScope.overwrite_default_scope(config.default_scope):
        loader = Runner.build_dataloader(config.train_dataloader, seed=0)
        model = MODELS.build(without_pretrained_weights(config.model))
    model.train()
    data = model.data_preprocessor(next(iter(loader)), training=True)
    losses = model(**data, mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    return data, model, loss


def assert_every_plugin_learns(model, loss):
    assert loss.isfinite()
    plugins = [module for module in model.modules() if isinstance(module, DMSCA)]
    assert plugins
    for module in plugins:
        # From the identity start these three move first; their gradients show that the plugin is in the graph.
        for last in (module.gce.fc2, module.msce.fuse, module.aa.conv):
            assert last.weight.grad.isfinite().all()
            assert last.weight.grad.any()


@pytest.mark.soak
@pytest.mark.parametrize('config', DETECTORS, indirect=True)
def test_headline_detector_trains_and_predicts_at_800_by_1344(config, tiny_coco):
    loader = config.train_dataloader
    loader.update(batch_size=1, num_workers=0, persistent_workers=False)
    loader.dataset.update(data_root=f'{tiny_coco}/')
    # 800 x 1333 keeps the ratio of the image and pads to a multiple of 32: a wide one gives 800 x 1344.
    for step in loader.dataset.pipeline:
        if step.type == 'Resize':
            step.keep_ratio = False
    data, model, loss = one_training_step(config)
    assert data['inputs'].shape == (1, 3, 800, 1344)
    assert_every_plugin_learns(model, loss)
    model.eval()
    with torch.no_grad():
        found, = model(**data, mode='predict')
    assert found.pred_instances.bboxes.shape[1] == 4


@pytest.mark.soak
@pytest.mark.parametrize('config', ['upernet_r50_dmsca'], indirect=True)
def test_headline_segmenter_trains_and_predicts_at_512_by_512(config, tiny_ade):
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    config.train_dataloader.dataset.data_root = str(tiny_ade)
    data, model, loss = one_training_step(config)
    assert data['inputs'].shape == (2, 3, 512, 512)  # the pooling pyramid's 1x1 maps need two images for BN
    assert_every_plugin_learns(model, loss)
    model.eval()
    with torch.no_grad():
        found = model(data['inputs'][:1], mode='tensor')
    assert found.shape == (1, 150, 512 // 4, 512 // 4)


@pytest.mark.parametrize('config', DETECTORS, indirect=True)
def test_detection_validation_pipeline_reads_coco(config, tiny_coco):
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    config.val_dataloader.dataset.data_root = f'{tiny_coco}/'
    with DefaultScope.overwrite_default_scope(config.default_scope):
        batches = list(Runner.build_dataloader(config.val_dataloader))
    assert [sample.img_id for batch in batches for sample in batch['data_samples']] == [1, 2]


@pytest.mark.parametrize('config', ['upernet_r50_dmsca'], indirect=True)
def test_segmentation_validation_pipeline_reads_ade20k(config, tiny_ade):
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    config.val_dataloader.dataset.data_root = str(tiny_ade)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        batches = list(Runner.build_dataloader(config.val_dataloader))
    assert len(batches) == 2
    assert batches[0]['data_samples'][0].gt_sem_seg.data.max() == 255, 'label 0 became 255, which is ignored'


@pytest.mark.parametrize('name', [f'{name}_digits' for name in BASELINES])
def test_digit_models_build_with_the_plugin_in_every_stage(name, repository):
    config = Config.fromfile(repository / f'configs/digits/{name}.py')
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(ConfigDict(config.model))
    assert sum(isinstance(module, DMSCA) for module in model.modules()) == 3 + 4 + 6 + 3
