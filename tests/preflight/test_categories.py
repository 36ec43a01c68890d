"""Categories of a file and classes of a data set: names, numbers, order."""
import json

import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.categories import check_categories
from dmsca_mm.preflight.coco import Category, Coco


def check(categories, classes, chosen=True):
    listed = [Category(place, name) for place, name in enumerate(categories)]
    return check_categories(Coco([], listed, []), classes, chosen, 'x')


def test_the_same_names_pass_and_a_choice_of_them():
    assert check(['a', 'b', 'c'], ('a', 'b', 'c')) == []
    assert check(['a', 'b', 'c'], ('a', 'c')) == []


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"x has no category 'd', which metainfo.classes names; it has a, b"):
        check(['a', 'b'], ('a', 'd'))
    with pytest.raises(UsageError, match=r"'person', one of the data set's own classes: name yours in metainfo=dict"):
        check(['a', 'b'], ('person',), chosen=False)


def test_a_name_that_is_there_twice_is_an_error():
    with pytest.raises(UsageError, match="x has category 'b' 2 times"):
        check(['a', 'b', 'b'], ('a', 'b'))
    assert check(['a', 'b', 'b'], ('a',)) == [], 'not read'


def test_of_a_name_that_is_there_twice_mmdet_makes_a_label_beyond_the_classes(tmp_path):
    from mmdet.datasets import CocoDataset
    path = tmp_path / 'twice.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=1, file_name='1.jpg', width=9, height=9)],
        annotations=[dict(id=1, image_id=1, category_id=3, bbox=[1, 1, 5, 5], area=25, iscrowd=0)],
        categories=[dict(id=number, name=name) for number, name in ((1, 'a'), (2, 'b'), (3, 'b'))])))
    read = CocoDataset(ann_file=str(path), metainfo=dict(classes=('a', 'b')), data_prefix=dict(img='.'), lazy_init=True)
    assert read.load_data_list()[0]['instances'][0]['bbox_label'] == 2


def test_another_order_is_a_warning():
    assert "label 1 is 'c', and mmdet names it 'b'" in check(['a', 'c', 'b'], ('a', 'b', 'c'))[0]
