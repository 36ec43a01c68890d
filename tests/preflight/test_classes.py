"""Heads and data must agree on the number of classes."""
import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.classes import argument_of, check_heads, classes_of, own_classes, reduces_zero_label


def test_classes_are_the_configs_else_the_data_sets_own(tmp_path):
    coco, names = dict(type='CocoDataset'), tmp_path / 'names.txt'
    names.write_text('cat\ndog\n')
    assert len(classes_of(coco, 'mmdet')) == 80
    assert classes_of(dict(coco, metainfo=dict(classes=['cat'])), 'mmdet') == ('cat',)
    assert classes_of(dict(coco, metainfo=dict(classes=str(names))), 'mmdet') is None
    assert classes_of(dict(type='BaseSegDataset'), 'mmseg') is None
    assert len(own_classes(dict(type='mmseg.ADE20KDataset'), 'mmseg')) == 150


def test_one_class_without_a_comma_is_refused():
    """mmdet would take every class whose name is a part of the word."""
    with pytest.raises(UsageError, match=r"classes='moth_egg' is neither .*: write classes=\('moth_egg', \), with"):
        classes_of(dict(type='CocoDataset', metainfo=dict(classes=('moth_egg'))), 'mmdet')


@pytest.mark.parametrize(('dataset', 'expected'), [
    (dict(type='ADE20KDataset'), True), (dict(type='ADE20KDataset', reduce_zero_label=False), False),
    (dict(type='BaseSegDataset'), False),
    (dict(type='BaseSegDataset', pipeline=[dict(type='LoadAnnotations', reduce_zero_label=True)]), True)])
def test_label_zero_is_left_out_where_data_set_pipeline_or_class_says_so(dataset, expected):
    assert reduces_zero_label(dataset, 'mmseg') == expected


def model(number):
    return Config(dict(model=dict(
        rpn_head=dict(num_classes=1), roi_head=dict(bbox_head=[dict(num_classes=10), dict(num_classes=number)]))))


def test_head_with_fewer_classes_than_the_data_is_an_error():
    with pytest.raises(UsageError, match=r'model\.roi_head\.bbox_head\.1\.num_classes is 9, the data of '
                                         r'train_dataloader have 10 classes: set it to 10'):
        check_heads(model(9), 10, 'train_dataloader')


def test_head_with_more_classes_is_a_warning():
    assert check_heads(model(10), 10, 'train_dataloader') == []
    found = check_heads(model(80), 10, 'train_dataloader')
    assert len(found) == 1
    assert 'never trained' in found[0]


def test_mask_head_without_classes_takes_any_number():
    config = Config(dict(model=dict(roi_head=dict(mask_head=dict(num_classes=80, class_agnostic=True)))))
    assert check_heads(config, 100, 'train_dataloader') == []


def test_argument_of_a_data_set_is_the_config_s_else_its_class_s_default():
    cityscapes = dict(type='CityscapesDataset')
    assert argument_of(cityscapes, 'seg_map_suffix', 'mmseg') == '_gtFine_labelTrainIds.png'
    assert argument_of(dict(cityscapes, seg_map_suffix='.png'), 'seg_map_suffix', 'mmseg') == '.png'
    assert argument_of(cityscapes, 'no_such_argument', 'mmseg') is None
