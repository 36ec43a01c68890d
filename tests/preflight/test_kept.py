"""The check counts exactly the annotations and images that mmdet's CocoDataset drops."""
import json

import coco_file
import numpy as np
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.kept import check_left, nothing_to_learn, usable

CLASSES = ('a', 'b')


def any_content(seed):
    """Images and annotations, most of them irregular."""
    random = np.random.default_rng(seed)
    images = [dict(id=number, file_name=f'{number}.jpg', width=int(random.integers(10, 60)),
                   height=int(random.integers(10, 60))) for number in range(30)]
    boxes = [dict(id=number, image_id=int(random.integers(0, 33)), category_id=int(random.integers(0, 4)),
                  bbox=[round(float(value), 1) for value in (*random.uniform(-30, 70, 2), *random.uniform(-3, 40, 2))],
                  area=float(random.choice([-1, 0, 5, 50], p=[0.05, 0.05, 0.4, 0.5])),
                  iscrowd=int(random.random() < 0.1), ignore=bool(random.random() < 0.1)) for number in range(200)]
    return dict(images=images, annotations=boxes,
                categories=[dict(id=number, name=name) for number, name in enumerate('abc')])


def as_mmdet_keeps(content, path, filters):
    from mmdet.datasets import CocoDataset
    path.write_text(json.dumps(content))
    found = CocoDataset(ann_file=str(path), metainfo=dict(classes=CLASSES), filter_cfg=filters, pipeline=[],
                        data_prefix=dict(img=''), serialize_data=False)
    return found.data_list


@pytest.mark.parametrize('seed', range(5))
def test_kept_annotations_are_those_of_mmdet(seed, tmp_path):
    content = any_content(seed)
    kept, _ = usable(coco_file.read(content), CLASSES, True, 'x')
    found = {image: [[*entry.bbox[:2], entry.bbox[0] + entry.bbox[2], entry.bbox[1] + entry.bbox[3]]
                     for entry in kept if entry.image_id == image] for image in range(30)}
    expected = {one['img_id']: [box['bbox'] for box in one['instances']]
                for one in as_mmdet_keeps(content, tmp_path / 'any.json', None)}
    assert found == expected
    assert 10 < len(kept) < 150


@pytest.mark.parametrize('filters', [dict(filter_empty_gt=True), dict(min_size=40),
                                     dict(filter_empty_gt=True, min_size=30), {}])
def test_images_that_are_left_are_those_of_mmdet(filters, tmp_path):
    content = any_content(0)
    content['annotations'] = content['annotations'][:40]
    left = len(as_mmdet_keeps(content, tmp_path / 'any.json', filters))
    read = coco_file.read(content)
    found = check_left(read, CLASSES, filters, 'x')
    counts = [int(line.split(': ')[1].split(' of 30')[0]) for line in found]
    assert len(counts) == len(filters)
    assert max(counts, default=0) <= 30 - left <= sum(counts)
    if left == 30:
        assert not counts


def test_nothing_left_ends_the_check():
    content = dict(any_content(0), annotations=[])
    with pytest.raises(UsageError, match='x leaves no image to train on: 30 of 30 images have no annotation'):
        check_left(coco_file.read(content), None, dict(filter_empty_gt=True), 'x')
    assert check_left(coco_file.read(content), None, {}, 'x') == []
    assert nothing_to_learn(coco_file.read(content), [], 'x') == ['x leaves no box to learn from, of 0 annotations']


def test_categories_that_are_not_chosen_are_no_warning():
    content = any_content(0)
    content['annotations'] = [dict(id=1, image_id=0, category_id=2, bbox=[0, 0, 5, 5], area=25)]
    assert usable(coco_file.read(content), CLASSES, True, 'x') == ([], [])
    _, warnings = usable(coco_file.read(content), CLASSES, False, 'x')
    assert len(warnings) == 1
    assert 'does not name' in warnings[0]


def test_boxes_that_rounding_puts_over_the_border_are_no_warning():
    content = any_content(0)
    width, height = content['images'][0]['width'], content['images'][0]['height']
    content['annotations'] = [dict(id=1, image_id=0, category_id=0, bbox=[-0.5, 0, width + 1, height + 0.5], area=25)]
    assert usable(coco_file.read(content), CLASSES, True, 'x')[1] == []
    content['annotations'][0]['bbox'][2] += 2
    assert 'beyond their image' in usable(coco_file.read(content), CLASSES, True, 'x')[1][0]
