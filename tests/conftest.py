"""Fixtures that the tests share: the repository's path, and tiny data sets in the layouts of COCO and ADE20K."""
import json
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

if not torch.cuda.is_available():  # read when Triton is imported: its interpreter runs kernels on CPU tensors
    os.environ['TRITON_INTERPRET'] = '1'

warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


@pytest.fixture(autouse=True)
def _seed():
    """Make random numbers independent of the tests that ran before in the same process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def repository():
    return Path(__file__).parents[1]


@pytest.fixture(scope='session')
def real_data(repository):
    """The folder with the real data ``bccd`` and ``camvid``: DMSCA_TEST_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get('DMSCA_TEST_DATA') or repository.parent / 'shared/data')
    if not {'bccd', 'camvid'} <= {path.name for path in folder.glob('*')}:
        pytest.skip('no real data: name their folder in DMSCA_TEST_DATA')
    return folder


def _photograph(generator, path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope='session')
def tiny_coco(tmp_path_factory):
    """Two training and two validation images with a box each, laid out like COCO 2017; all 80 categories."""
    from mmdet.datasets import CocoDataset
    root, generator = tmp_path_factory.mktemp('coco'), np.random.default_rng(0)
    names = CocoDataset.METAINFO['classes']
    for split in ('train2017', 'val2017'):
        images, boxes = [], []
        for index in (1, 2):
            _photograph(generator, root / split / f'{index:012d}.jpg', (480, 640))
            images.append(dict(id=index, file_name=f'{index:012d}.jpg', width=640, height=480))
            boxes.append(dict(id=index, image_id=index, category_id=index, bbox=[40, 60, 200, 150], area=30000,
                              iscrowd=0))
        content = dict(images=images, annotations=boxes,
                       categories=[dict(id=i + 1, name=name) for i, name in enumerate(names)])
        path = root / f'annotations/instances_{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return root


@pytest.fixture(scope='session')
def tiny_ade(tmp_path_factory):
    """Two training and two validation images with label maps of 150 classes, laid out like ADE20K."""
    root, generator = tmp_path_factory.mktemp('ade'), np.random.default_rng(0)
    for split in ('training', 'validation'):
        for index in (1, 2):
            _photograph(generator, root / f'images/{split}/{index:08d}.jpg', (512, 640))
            labels = root / f'annotations/{split}/{index:08d}.png'
            labels.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 151, (512, 640), dtype=np.uint8)).save(labels)
    return root


@pytest.fixture(scope='session')
def digits(tmp_path_factory):
    """A few images of the built-in data set."""
    from dmsca_mm.datasets import digits
    root = tmp_path_factory.mktemp('data') / 'digits'
    digits.make_digits(root, digits.DigitsParameters(training=8, validation=5))
    return root


@pytest.fixture(scope='session')
def digit_classes(tmp_path_factory):
    """A few images of the built-in data set for classification."""
    from dmsca_mm.datasets.digit_classes import DigitClassesParameters, make_digit_classes
    root = tmp_path_factory.mktemp('data') / 'digit_classes'
    make_digit_classes(root, DigitClassesParameters(training=40, validation=10))
    return root


DIGITS_MODELS = {'detector': 'configs/digits/faster_rcnn_r50_dmsca_digits.py',
                 'one-stage': 'configs/digits/retinanet_r50_dmsca_digits.py',
                 'segmenter': 'configs/digits/upernet_r50_dmsca_digits.py',
                 'classifier': 'configs/pretrain/resnet50_dmsca_digits.py'}


@pytest.fixture(scope='session')
def untrained(repository, tmp_path_factory):
    """Build a model of ``DIGITS_MODELS`` with random weights; return its config and checkpoint."""
    from dmsca_mm.preflight import check_build
    from dmsca_mm.runtime.config import load_config
    made = {}

    def make(kind, plugin=None):
        if (kind, plugin) not in made:
            torch.manual_seed(0)
            name = str(repository / DIGITS_MODELS[kind])
            path = tmp_path_factory.mktemp('weights') / f'{kind}_{plugin}.pth'
            torch.save(dict(state_dict=check_build(load_config(name, plugin=plugin)).state_dict()), path)
            made[kind, plugin] = name, str(path)
        return made[kind, plugin]
    return make
