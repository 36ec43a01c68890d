"""Every entry of an annotation file is checked in the way mmdet and pycocotools read it."""
import copy

import coco_file
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.annotations import check_coco

GOOD = dict(
    images=[dict(id=1, file_name='a.jpg', width=10, height=20), dict(id=2, file_name='b.jpg', width=10, height=20)],
    categories=[dict(id=7, name='cat')],
    annotations=[dict(id=1, image_id=1, category_id=7, bbox=[1, 2, 3.5, 4], area=14, iscrowd=0)])


def changed(part, field, value, place=0):
    content = copy.deepcopy(GOOD)
    if value is None:
        del content[part][place][field]
    else:
        content[part][place][field] = value
    return content


def check(content, for_metrics):
    return check_coco(coco_file.read(content), 'x', for_metrics)


def test_good_file_passes():
    assert check(GOOD, for_metrics=True) == []


def test_crowd_flag_is_needed_for_metrics_alone():
    content = changed('annotations', 'iscrowd', None)
    check(content, for_metrics=False)
    with pytest.raises(UsageError, match=r'x: annotations\[0\]\.iscrowd is missing'):
        check(content, for_metrics=True)


@pytest.mark.parametrize(('content', 'words'), [
    (changed('images', 'width', None, 1), r'images\[1\]\.width is missing; must be a positive number'),
    (changed('images', 'height', 0), r'images\[0\]\.height is 0'),
    (changed('images', 'file_name', 5), r'images\[0\]\.file_name is 5'),
    (changed('annotations', 'bbox', [1, 2, 3]), r'annotations\[0\]\.bbox is \[1, 2, 3\]; must be four numbers'),
    (changed('annotations', 'bbox', [1, 2, 3, float('nan')]), r'bbox is \[1, 2, 3, nan\]'),
    (changed('annotations', 'area', None), r'area is missing'),
    ({**GOOD, 'annotations': GOOD['annotations'] * 3},
     r'annotations\[1\]\.id is 1, which annotations\[0\] has already \(2 of 3 annotations repeat an id\)'),
    ({**GOOD, 'categories': GOOD['categories'] * 2}, r'categories\[1\]\.id is 7, which categories\[0\] has already'),
    ({**GOOD, 'annotations': None}, 'has no list annotations'),
    ({**GOOD, 'categories': ['cat']}, r"categories\[0\] is")])
def test_entry_out_of_order_is_named(content, words):
    with pytest.raises(UsageError, match=words):
        check(content, for_metrics=True)


def test_images_that_share_an_id_are_a_warning_and_the_same_image_twice_is_none():
    found, = check(changed('images', 'id', 1, 1), for_metrics=True)
    assert 'x: images[1].id is 1, which images[0] has already' in found
    assert 'a.jpg is left out' in found
    assert check({**GOOD, 'images': GOOD['images'] * 2}, for_metrics=True) == []


@pytest.mark.parametrize('value', [1.0, 'one', 0])
def test_ids_that_mmdet_takes_pass(value):
    check(changed('images', 'id', value), for_metrics=False)
