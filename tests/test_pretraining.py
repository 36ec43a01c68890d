"""The classifiers of configs/pretrain: the paper's hyperparameters, mmpretrain's parts, weights that detectors take."""
import pickle

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from mmengine.runner import Runner
from PIL import Image
from torch import nn

from dmsca_mm import DMSCA
from dmsca_mm.compat import requirements
from dmsca_mm.preflight import check_build
from dmsca_mm.runtime.config import load_config

DEPTHS = {18: (8, 512), 34: (16, 512), 50: (16, 2048)}
"""Blocks and channels of the last stage."""
DATA = {'cifar10': 10, 'cifar100': 100, 'imagenet': 1000}


@pytest.fixture
def config(request, repository):
    return load_config(str(repository / f'configs/pretrain/{request.param}.py'))


def named(depths, data):
    return [f'resnet{depth}_dmsca_{name}' for depth in depths for name in data]


@pytest.mark.parametrize('config', named(DEPTHS, DATA), indirect=True)
def test_classifiers_build_with_the_plugin_in_every_block(config):
    name = config.filename.rpartition('/')[2].removesuffix('.py')
    depth, classes = int(name[6:8]), DATA[name.rpartition('_')[2]]
    model = check_build(config)
    blocks, channels = DEPTHS[depth]
    assert sum(isinstance(module, DMSCA) for module in model.backbone.modules()) == blocks
    assert model.head.fc.weight.shape == (classes, channels)
    assert model.data_preprocessor.num_classes == classes  # so mean and deviation come from the data set's config
    assert model.backbone.conv1.stride == ((1, 1) if 'cifar' in name else (2, 2))
    model.init_weights()
    image = torch.rand(2, 3, 32, 32)
    nn.Module.train(model, False)
    with torch.no_grad():
        assert model(image).shape == (2, classes)


def test_the_documented_example_of_another_classifier_has_the_plugin_in_every_block_and_trains_its_norms(repository,
                                                                                                          tmp_path):
    page = (repository / 'docs/pretraining.md').read_text()
    example = page.partition('## Your own classifier')[2].partition('```python\n')[2].partition('```')[0]
    (tmp_path / 'mine.py').write_text(example)
    backbone = check_build(load_config(str(tmp_path / 'mine.py'))).backbone
    backbone.train()
    assert sum(isinstance(module, DMSCA) for module in backbone.modules()) == DEPTHS[50][0]
    assert all(module.training for module in backbone.modules())


@pytest.mark.parametrize('config', named(DEPTHS, DATA), indirect=True)
def test_hyperparameters_are_the_papers(config):
    imagenet = 'imagenet' in config.filename
    batch, decay, epochs = (128, 1e-4, 100) if imagenet else (64, 5e-4, 200)
    wanted = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=decay)
    assert {**config.optim_wrapper.optimizer, '_scope_': None} == {**wanted, '_scope_': None}
    assert config.train_dataloader.batch_size == config.auto_scale_lr.base_batch_size == batch
    assert config.train_cfg.max_epochs == epochs
    assert config.param_scheduler == dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=epochs)
    entry, = config.model.backbone.plugins
    defaults = DMSCA(64)
    assert entry.cfg == dict(type='DMSCA')
    assert [conv.kernel_size[0] for conv in defaults.msce.convs] == [3, 5, 7]
    assert defaults.gce.fc1.out_channels == 64 // 16
    assert defaults.tca.log_temperature.exp() == 1


@pytest.fixture(scope='session')
def tiny_imagenet(tmp_path_factory):
    """Four training and two validation images with lists of labels, laid out like ImageNet."""
    root, random = tmp_path_factory.mktemp('imagenet'), np.random.default_rng(0)
    (root / 'meta').mkdir()
    for split, count in (('train', 4), ('val', 2)):
        (root / split).mkdir()
        for index in range(count):
            Image.fromarray(random.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(root / split / f'{index}.JPEG')
        (root / f'meta/{split}.txt').write_text(''.join(f'{index}.JPEG {index * 300}\n' for index in range(count)))
    return root


@pytest.fixture
def tiny_cifar(tmp_path, monkeypatch):
    """Folders laid out like CIFAR's with four images in each file; the check of their hashes is disabled."""
    from mmpretrain.datasets import CIFAR10, CIFAR100
    random = np.random.default_rng(0)
    for kind, label in ((CIFAR10, 'labels'), (CIFAR100, 'fine_labels')):
        folder = tmp_path / kind.base_folder
        folder.mkdir()
        names = [name for name, _ in (*kind.train_list, *kind.test_list)]
        for name in names:
            content = {'data': random.integers(0, 256, (4, 3072), dtype=np.uint8), label: [0, 1, 2, 9]}
            (folder / name).write_bytes(pickle.dumps(content))
        monkeypatch.setattr(kind, '_check_integrity', lambda self: True)
    return tmp_path


@pytest.mark.parametrize('config', named([18], DATA), indirect=True)
def test_one_training_step_on_data_in_the_layout_of_the_real_one(config, request, repository):
    requirements.require('mmpretrain')
    root = request.getfixturevalue('tiny_imagenet' if 'imagenet' in config.filename else 'tiny_cifar')
    loader = config.train_dataloader
    loader.update(batch_size=4, num_workers=0)
    loader.dataset.data_root = str(root)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = next(iter(Runner.build_dataloader(loader, seed=0)))
        model = MODELS.build(config.model)
    model.train()
    data = model.data_preprocessor(data, training=True)
    side = 224 if 'imagenet' in config.filename else 32
    assert data['inputs'].shape == (4, 3, side, side)
    loss = model(**data, mode='loss')['loss']
    loss.backward()
    assert loss.isfinite()
    for module in model.modules():
        if isinstance(module, DMSCA):
            assert module.gce.fc2.weight.grad.any()


@pytest.fixture
def tiny_fashion_mnist(tmp_path):
    """Four training and four test images in the four files of Fashion-MNIST."""
    random = np.random.default_rng(0)
    for split in ('train', 't10k'):
        images, labels = random.integers(0, 256, (4, 28, 28), dtype=np.uint8), np.array([0, 1, 2, 9], np.uint8)
        for name, content in ((f'{split}-images-idx3-ubyte', images), (f'{split}-labels-idx1-ubyte', labels)):
            head = [0x0800 + content.ndim, *content.shape]  # unsigned bytes, number of dimensions, size of each
            (tmp_path / name).write_bytes(np.array(head, '>i4').tobytes() + content.tobytes())
    return tmp_path


@pytest.fixture
def tiny_cifar10_jpeg(tmp_path):
    """An image of each class in its folder, for training and for testing."""
    random = np.random.default_rng(0)
    for split in ('train', 'test'):
        for name in ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / '0.jpg')
    return tmp_path


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_a_worker_sends_a_batch_as_one_tensor(split, repository):
    for path in (repository / 'configs/pretrain').glob('*.py'):
        assert load_config(str(path))[f'{split}_dataloader'].collate_fn['type'] == 'default_collate', path.name


@pytest.mark.parametrize(('config', 'data', 'shape', 'labels'), [
    ('resnet18_dmsca_fashion_mnist', 'tiny_fashion_mnist', (4, 1, 28, 28), [0, 1, 2, 9]),
    ('resnet18_dmsca_cifar10_jpeg', 'tiny_cifar10_jpeg', (10, 3, 32, 32), [*range(10)])], indirect=['config'])
def test_one_training_step_of_a_thin_classifier_with_the_plugin_in_every_block(config, data, shape, labels, request):
    requirements.require('mmpretrain')
    loader = config.train_dataloader
    loader.update(batch_size=shape[0], num_workers=0, persistent_workers=False)
    loader.dataset.data_root = str(request.getfixturevalue(data))
    model = check_build(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = next(iter(Runner.build_dataloader(loader, seed=0)))
    model.train()
    data = model.data_preprocessor(data, training=True)
    assert data['inputs'].shape == shape
    assert sorted(sample.gt_label.item() for sample in data['data_samples']) == labels
    loss = model(**data, mode='loss')['loss']
    loss.backward()
    assert loss.isfinite()
    plugins = [module for module in model.backbone.modules() if isinstance(module, DMSCA)]
    assert len(plugins) == 8
    assert all(module.gce.fc2.weight.grad.any() for module in plugins)


def pretrained(repository, tmp_path, base):
    """Save a digit classifier, with weights unlike any initialization, as mmengine does; return its weights."""
    model = check_build(load_config(str(repository / 'configs/pretrain/resnet50_dmsca_digits.py'),
                                    {'model.backbone.base': base}))
    random = torch.Generator().manual_seed(7)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=random))
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'classifier.pth')
    return model.state_dict()


@pytest.mark.parametrize(('name', 'base', 'kind'), [
    ('faster_rcnn_r50_dmsca_digits', 'mmdet.ResNet', 'ResNet'),
    ('retinanet_r50_dmsca_digits', 'mmdet.ResNet', 'ResNet'),
    ('upernet_r50_dmsca_digits', 'mmdet.ResNet', 'ResNet'),
    ('upernet_r50_dmsca_digits', 'mmseg.ResNetV1c', 'ResNetV1c')])
def test_every_tensor_of_a_classifiers_backbone_starts_a_detector_and_a_segmenter(name, base, kind, repository,
                                                                                  tmp_path):
    state = pretrained(repository, tmp_path, base)
    options = {'model.backbone.type': kind,
               'model.backbone.init_cfg': dict(_delete_=True, type='Pretrained', prefix='backbone.',
                                               checkpoint=str(tmp_path / 'classifier.pth'))}
    config = load_config(str(repository / f'configs/digits/{name}.py'), options)
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    model.init_weights()
    loaded = {f'backbone.{key}': value for key, value in model.backbone.state_dict().items()}
    assert sum('.dmsca.' in key for key in loaded) == 16 * len(DMSCA(64).state_dict())
    assert loaded.keys() == {key for key in state if key.startswith('backbone.')}
    for key, value in loaded.items():
        assert torch.equal(value, state[key]), key


def test_a_detector_computes_what_the_classifiers_backbone_computes(repository, tmp_path):
    """Equal outputs show that the gates have the same range, which is not part of a state_dict."""
    classifier = check_build(load_config(str(repository / 'configs/pretrain/resnet50_dmsca_digits.py')))
    detector = check_build(load_config(str(repository / 'configs/digits/faster_rcnn_r50_dmsca_digits.py')))
    for module in classifier.modules():
        if isinstance(module, DMSCA):
            nn.init.normal_(module.gce.fc2.weight)
            nn.init.normal_(module.aa.conv.weight)
    detector.backbone.load_state_dict(classifier.backbone.state_dict())
    nn.Module.train(classifier, False)
    nn.Module.train(detector, False)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(classifier.backbone(image)[-1], detector.backbone(image)[-1])
