"""Masks that mmdet's LoadAnnotations cannot load or drops."""
import coco_file
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.masks import check_masks, check_measured_masks

PIPELINE = [dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
CONTENT = dict(images=[dict(id=1, width=40, height=30)])
TRIANGLE, CODE = [[1, 1, 9, 1, 9, 9]], dict(size=[30, 40], counts='abc')


def check(*masks, pipeline=PIPELINE):
    content = coco_file.read(dict(CONTENT, annotations=[dict(id=number, image_id=1, segmentation=mask)
                                                   for number, mask in enumerate(masks)]))
    return check_masks(content, content.annotations, pipeline, 'x')


def test_polygons_and_codes_pass():
    assert check(TRIANGLE, CODE, dict(size=[30, 40], counts=[1200])) == []


def test_masks_do_not_matter_where_none_are_loaded():
    assert check(None, pipeline=[dict(type='LoadAnnotations', with_bbox=True)]) == []


@pytest.mark.parametrize('mask', [None, [], {}, 'text', [1, 1, 9, 1, 9, 9], [TRIANGLE[0], None]])
def test_no_mask_is_named(mask):
    with pytest.raises(UsageError, match=r'x: 1 of 2 annotations have no mask.* of id 1, whose segmentation is'):
        check(TRIANGLE, mask)


def test_code_of_another_size_is_named():
    with pytest.raises(UsageError, match=r'1 of 2 masks .* of id 1, whose size is \[40, 30\] .* \[30, 40\]'):
        check(CODE, dict(CODE, size=[40, 30]))


@pytest.mark.parametrize('mask', [[[1, 1, 9, 1]], [[1, 2, 3, 4, 5, 6, 7]], dict(counts='abc')])
def test_masks_that_are_left_out_are_counted(mask):
    assert 'x: 1 of 2 masks (the first is that of id 1)' in check(TRIANGLE, mask)[0]


def test_codes_are_left_out_where_polygons_are_wanted():
    wanted = [dict(type='LoadAnnotations', with_mask=True, poly2mask=False)]
    assert check(TRIANGLE, pipeline=wanted) == []
    assert '1 of 1 masks' in check(CODE, pipeline=wanted)[0]


@pytest.mark.parametrize('mask', [None, [], [[1, 1]]])
def test_no_mask_is_named_where_masks_are_measured(mask):
    """Also that of an annotation which mmdet drops, but not that of a category which is not measured."""
    annotations = [dict(id=1, image_id=1, category_id=7, segmentation=TRIANGLE),
                   dict(id=2, image_id=1, category_id=7, segmentation=CODE),
                   dict(id=3, image_id=1, category_id=8, segmentation=mask)]
    content = coco_file.read(dict(CONTENT, annotations=annotations))
    check_measured_masks(content, {7}, 'x')
    with pytest.raises(UsageError, match=r'x: 1 of 3 annotations have no mask.* of id 3, .*metric='):
        check_measured_masks(content, {7, 8}, 'x')
