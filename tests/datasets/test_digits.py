"""The built-in data set: same bytes, disjoint splits, boxes that fit the labels, readable by the real loaders."""
import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dmsca_mm.datasets import digits
from dmsca_mm.datasets.digits import DigitsParameters, make_digits
from dmsca_mm.errors import UsageError

SMALL = DigitsParameters(training=12, validation=5, size=160, seed=3)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('digits') / 'data' / 'digits'
    assert make_digits(root, SMALL)
    return root


def content(root):
    """Path and digest of every file below `root`."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob('*')) if path.is_file()}


def instances(root, split):
    return json.loads((root / f'annotations/instances_{split}.json').read_text())


def label_map(root, split, index):
    return cv2.imread(str(root / f'annotations/{split}/{index:06d}.png'), cv2.IMREAD_UNCHANGED)


def test_same_seed_same_bytes(made, tmp_path):
    make_digits(tmp_path / 'again', SMALL)
    assert content(tmp_path / 'again') == content(made)
    assert len(content(made)) == 2 * (12 + 5) + 3


def test_other_seed_other_images(made, tmp_path):
    make_digits(tmp_path / 'other', replace(SMALL, seed=4))
    one, other = content(made), content(tmp_path / 'other')
    assert one.keys() == other.keys()
    assert not any(one[name] == other[name] for name in one if name.endswith('.jpg'))


def test_an_image_does_not_depend_on_how_many_are_made():
    few, more = (list(digits.samples('validation', replace(SMALL, validation=count))) for count in (2, 4))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(few, more[:2], strict=True))


@pytest.mark.parametrize(('split', 'count'), [('training', 12), ('validation', 5)])
def test_boxes_are_tight_around_the_labels(made, split, count):
    coco = instances(made, split)
    assert len(coco['images']) == count
    assert [category['name'] for category in coco['categories']] == list('0123456789')
    for image in coco['images']:
        labels = label_map(made, split, image['id'])
        assert labels.shape == (160, 160)
        covered = np.zeros_like(labels, bool)
        boxes = [box for box in coco['annotations'] if box['image_id'] == image['id']]
        assert 1 <= len(boxes) <= digits.MAX_DIGITS
        for box in boxes:
            left, top, width, height = box['bbox']
            inside = labels[top:top + height, left:left + width]
            # Label 0 is "unlabelled", 1 the background, 2 + d digit d; category d + 1 is digit d.
            stroke = inside == box['category_id'] + 1
            assert set(np.unique(inside)) == {1, box['category_id'] + 1}
            assert all(edge.any() for edge in (stroke[0], stroke[-1], stroke[:, 0], stroke[:, -1]))
            assert stroke.sum() == box['area']
            covered[top:top + height, left:left + width] = True
        assert (labels[~covered] == 1).all()


def test_coco_loader_gives_the_boxes_and_classes(made, repository):
    from mmdet.registry import DATASETS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    register_all_modules()
    cfg = Config.fromfile(repository / 'configs/digits/faster_rcnn_r50_dmsca_digits.py')
    for split, loader in (('training', cfg.train_dataloader), ('validation', cfg.test_dataloader)):
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(made)))
        truth = instances(made, split)['annotations']
        assert len(dataset) == getattr(SMALL, split)
        assert sorted(label for i in range(len(dataset)) for label in dataset[i]['data_samples'].gt_instances.labels
                      ) == sorted(box['category_id'] - 1 for box in truth)
        assert dataset[0]['inputs'].shape[0] == 3


def test_ade_loader_gives_background_and_ten_digits(made, repository):
    from mmengine.config import Config
    from mmseg.registry import DATASETS
    from mmseg.utils import register_all_modules
    register_all_modules()
    cfg = Config.fromfile(repository / 'configs/digits/upernet_r50_dmsca_digits.py')
    for split, loader in (('training', cfg.train_dataloader), ('validation', cfg.test_dataloader)):
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(made)))
        assert len(dataset) == getattr(SMALL, split)
        assert dataset.metainfo['classes'] == ('background', *'0123456789')
        for index in range(len(dataset)):
            labels = dataset[index]['data_samples'].gt_sem_seg.data[0].numpy()
            expected = label_map(made, split, index).astype(int) - 1
            assert np.array_equal(labels, expected)


def test_other_parameters_need_overwrite(tmp_path):
    root, other = tmp_path / 'digits', replace(SMALL, training=2, seed=9)
    make_digits(root, replace(SMALL, training=2))
    before = content(root)
    with pytest.raises(UsageError, match='other parameters: pass --overwrite'):
        make_digits(root, other)
    assert content(root) == before
    assert make_digits(root, other, overwrite=True)
    assert make_digits(root, other) is False
    assert [path.name for path in tmp_path.iterdir()] == ['digits']


@pytest.mark.parametrize('name', [
    'images/training/000001.jpg', 'annotations/training/000000.png', 'annotations/instances_validation.json'])
def test_missing_files_are_noticed(tmp_path, name):
    make_digits(tmp_path / 'digits', replace(SMALL, training=2))
    (tmp_path / 'digits' / name).unlink()
    with pytest.raises(UsageError, match='is incomplete'):
        make_digits(tmp_path / 'digits', replace(SMALL, training=2))
