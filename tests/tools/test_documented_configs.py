"""The examples of the documents work in a user's folder, away from the checkout."""
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import own_lines
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from dmsca_mm import DMSCA, dmsca


@pytest.fixture
def page(repository):
    return (repository / 'docs/configs.md').read_text()


def test_python_style_base_trains_with_the_wheels_as_they_are(page, tiny_coco, call, tmp_path):
    command, = re.findall(r'```sh\npython -c "(.*get_config.*)"\n```', page)
    config, = re.findall(r'```python\n(from mmengine\.config import read_base.*?)```', page, re.DOTALL)
    subprocess.run([sys.executable, '-c', command], cwd=tmp_path, check=True, timeout=120)
    (tmp_path / 'mine.py').write_text(config)
    options = ['--cfg-options', f'train_dataloader.dataset.data_root={tiny_coco}/',
               *(f'{split}_dataloader.dataset.data_root={tiny_coco}/' for split in ('val', 'test')),
               *(f'{split}_evaluator.ann_file={tiny_coco}/annotations/instances_val2017.json'
                 for split in ('val', 'test')), 'model.backbone.init_cfg=None', 'train_cfg.max_epochs=1',
               'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
               'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
               'train_dataloader.dataset.pipeline.2.scale=(160,160)',
               'val_dataloader.dataset.pipeline.1.scale=(160,160)']
    checked = call('check.py', 'mine.py', *options)
    assert checked.returncode == 0, checked.stderr
    assert own_lines(checked)
    trained = call('train.py', 'mine.py', '--work-dir', 'work', *options)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / 'work/epoch_1.pth').exists()


def write_plants(root, label_maps):
    """A data set of two classes or, with label maps, three: one image for each split."""
    for split in ('train', 'val'):
        for place, name in enumerate(('leaf', 'root')):
            image = root / f'images/{split}/{place}.jpg' if label_maps else root / f'{split}/{name}/{place}.jpg'
            image.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(place).integers(0, 256, (64, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(image)
            if label_maps:
                labels = root / f'labels/{split}/{place}.png'
                labels.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[..., 0] % 3).save(labels)


@pytest.mark.parametrize(('document', 'base'), [
    ('data.md', 'dmsca_mm::upernet'), ('pretraining.md', 'dmsca_mm::pretrain')])
def test_example_for_data_of_ones_own_trains(document, base, call, repository, tmp_path):
    text, = re.findall(rf"```python\n(_base_ = '{base}.*?)```", (repository / 'docs' / document).read_text(), re.DOTALL)
    segments = 'upernet' in base
    write_plants(tmp_path / 'data/plants', label_maps=segments)
    (tmp_path / 'mine.py').write_text(text)
    length = ['train_cfg.max_iters=1', 'train_cfg.val_interval=1', 'model.pretrained=None'] if segments else [
        'train_cfg.max_epochs=1']
    loaders = [f'{split}_dataloader.{key}' for split in ('train', 'val', 'test')
               for key in ('num_workers=0', 'persistent_workers=False', 'batch_size=2')]
    trained = call('train.py', 'mine.py', '--work-dir', 'work', '--cfg-options', *length, *loaders)
    assert trained.returncode == 0, trained.stderr
    warned = [line for line in trained.stderr.splitlines() if line.startswith('warning: ')]
    assert all('the learning rate is meant for' in line for line in warned), warned
    assert (tmp_path / 'work' / ('iter_1.pth' if segments else 'epoch_1.pth')).exists()


def test_two_plugins_of_a_kind_stand_side_by_side(page, tmp_path):
    entry, = re.findall(r'```python\n(plugins=\[.*?\])\n```', page, re.DOTALL)
    (tmp_path / 'mine.py').write_text("_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n"
                                      "custom_imports = dict(imports=['dmsca_mm'])\n"
                                      f'model = dict(backbone=dict(init_cfg=None, {entry}))\n')
    config = Config.fromfile(tmp_path / 'mine.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        block = MODELS.build(config.model.backbone).layer2[0]
    names = {name for name, module in block.named_children() if isinstance(module, DMSCA)}
    assert names == {'dmsca1', 'dmsca2'}
    assert 'postfix' not in dmsca['cfg'], 'one alone keeps its plain name'
