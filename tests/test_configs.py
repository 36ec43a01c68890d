"""The headline configs are the published baselines plus the plugin; their models run at full image size.

The configs of a data set train on it in the layout of docs/data.md.
"""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from PIL import Image

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
    """Avoid downloads and SyncBN, which one process without CUDA does not support."""
    model.backbone.init_cfg = None
    model.pop('pretrained', None)
    model.backbone.norm_cfg = dict(type='BN', requires_grad=True)
    return model


def one_training_step(config):
    """Compute loss and backward on one batch of the config's data loader; return the batch, the model and the loss.

    It skips init_weights, because mmdet would zero the norm before each plugin, and the gradients would be zero.
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
        # From the identity start these three learn first; their gradients show that the plugin is in the graph.
        for last in (module.gce.fc2, module.msce.fuse, module.aa.conv):
            assert last.weight.grad.isfinite().all()
            assert last.weight.grad.any()


@pytest.mark.soak
@pytest.mark.parametrize('config', DETECTORS, indirect=True)
def test_headline_detector_trains_and_predicts_at_800_by_1344(config, tiny_coco):
    loader = config.train_dataloader
    loader.update(batch_size=1, num_workers=0, persistent_workers=False)
    loader.dataset.update(data_root=f'{tiny_coco}/')
    # 800 x 1333 keeps the aspect ratio and pads to a multiple of 32: a wide image gives 800 x 1344.
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


@pytest.fixture(scope='session')
def tiny_bccd(tmp_path_factory):
    """Two images per split with a cell of each kind, laid out like BCCD."""
    root, random = tmp_path_factory.mktemp('bccd'), np.random.default_rng(0)
    (root / 'images').mkdir()
    kinds = ('RBC', 'WBC', 'Platelets')
    for split in ('train', 'val', 'test'):
        images = [dict(id=number, file_name=f'{split}_{number}.jpg', width=640, height=480) for number in (1, 2)]
        for image in images:
            photograph = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
            Image.fromarray(photograph).save(root / 'images' / image['file_name'])
        boxes = [dict(id=3 * image['id'] + kind, image_id=image['id'], category_id=kind + 1, iscrowd=0,
                      bbox=[200 * kind + 20, 100, 40 * kind + 40, 90], area=90 * (40 * kind + 40))
                 for image in images for kind in range(3)]
        categories = [dict(id=kind + 1, name=name) for kind, name in enumerate(kinds)]
        content = dict(images=images, annotations=boxes, categories=categories)
        (root / f'{split}.json').write_text(json.dumps(content))
    return root


@pytest.fixture(scope='session')
def tiny_camvid(tmp_path_factory):
    """Four images per split with every class and unlabelled pixels, laid out like CamVid."""
    root, random = tmp_path_factory.mktemp('camvid'), np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for number in range(4):
            for folder, highest, shape in (('images', 256, (360, 480, 3)), ('labels', 12, (360, 480))):
                path = root / f'{folder}/{split}/{number}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, highest, shape, dtype=np.uint8)).save(path)
    return root


def lies_in(root, config):
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = f'{root}/'


@pytest.mark.parametrize('config', [f'bccd/{name}_r50_dmsca_bccd' for name in ('faster_rcnn', 'retinanet')],
                         indirect=True)
def test_detector_of_blood_cells_trains_with_the_plugin_in_every_stage(config, tiny_bccd):
    lies_in(tiny_bccd, config)
    config.train_dataloader.batch_size = 2
    data, model, loss = one_training_step(config)
    assert data['inputs'].shape == (2, 3, 256, 320), '240 x 320, padded to a multiple of 32'
    assert all(sample.gt_instances.labels.tolist() == [0, 1, 2] for sample in data['data_samples'])
    assert sum(isinstance(module, DMSCA) for module in model.modules()) == 3 + 4 + 6 + 3
    assert_every_plugin_learns(model, loss)


@pytest.mark.parametrize('config', ['camvid/upernet_r50_dmsca_camvid'], indirect=True)
def test_segmenter_of_street_scenes_trains_on_maps_with_unlabelled_pixels(config, tiny_camvid):
    lies_in(tiny_camvid, config)
    data, model, loss = one_training_step(config)
    assert data['inputs'].shape == (4, 3, 180, 240)
    assert set(data['data_samples'][0].gt_sem_seg.data.unique().tolist()) == set(range(12))
    assert_every_plugin_learns(model, loss)


@pytest.mark.parametrize('config', ['camvid/upernet_r50_dmsca_camvid'], indirect=True)
def test_unlabelled_pixels_of_street_scenes_count_neither_in_the_loss_nor_in_the_metric(config, tiny_camvid):
    lies_in(tiny_camvid, config)
    with DefaultScope.overwrite_default_scope('mmseg'):
        batch = next(iter(Runner.build_dataloader(config.val_dataloader)))
        model = MODELS.build(config.model)
        metric = Evaluator(config.val_evaluator)
    metric.dataset_meta = config.metainfo
    for sample in batch['data_samples']:
        truth = sample.gt_sem_seg.data
        losses = [head.loss_decode(logits, truth, ignore_index=head.ignore_index)
                  for head in (model.decode_head, model.auxiliary_head)
                  for logits in (torch.zeros(1, 11, *truth.shape[1:]), 9. * (truth == 11)[None].expand(1, 11, -1, -1))]
        assert len({loss.item() for loss in losses[:2]}) == len({loss.item() for loss in losses[2:]}) == 1
        sample.pred_sem_seg = PixelData(data=truth % 11)
    metric.process(batch['data_samples'], batch)
    assert metric.evaluate(len(batch['data_samples']))['mIoU'] == 100
