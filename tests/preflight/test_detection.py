"""The data sets that are checked as mmdet's CocoDataset, and the checks of their images."""
import json

import own_data
import pytest
from mmengine.config import Config
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.detection import check_detection


@pytest.fixture
def check(tmp_path, repository):
    own_data.detector(tmp_path, repository)

    def run(kind=None, **options):
        from mmdet.datasets import CocoDataset
        kind = kind or CocoDataset
        dataset = dict(type=kind, metainfo=dict(classes=own_data.CLASSES), data_root=str(tmp_path),
                       ann_file='train.json', data_prefix=dict(img='images'))
        return check_detection(tmp_path / 'train.json', {**dataset, **options}, kind, 'mmdet', 'train_dataloader',
                               False, False, False)
    return run


def test_data_sets_of_coco_are_checked_and_others_left_to_the_library(check, tmp_path):
    from mmdet.datasets import BaseDetDataset, CocoDataset

    class Own(CocoDataset):
        METAINFO = dict(classes=own_data.CLASSES)  # noqa: RUF012, as mmdet declares it

    class Otherwise(Own):
        def parse_data_info(self, raw_data_info):
            raise NotImplementedError

    own_data.change(tmp_path / 'train.json', annotations=[])
    assert len(check(Own)) == 1
    assert len(check()) == 1
    assert check(Otherwise) == [], 'its entries may be of any kind'
    (tmp_path / 'train.json').write_text('{}')
    assert check(BaseDetDataset) == []
    with pytest.raises(UsageError, match='lists no images'):
        check(Otherwise)


def test_images_without_annotations_for_semi_supervised_training_are_no_warning(check, tmp_path):
    own_data.change(tmp_path / 'train.json', annotations=[])
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
    warning, = check(filter_cfg={}, pipeline=steps)
    assert 'leaves no box to learn from' in warning
    assert check(filter_cfg={}, pipeline=[steps[0], dict(type='LoadEmptyAnnotations', with_bbox=True)]) == []


def test_a_photograph_that_its_header_turns_has_the_size_that_is_trained_on(check, tmp_path):
    header = Image.Exif()
    header[0x0112] = 6  # turned by 90 degrees
    width, height = own_data.SIZE
    Image.new('RGB', (height, width)).save(tmp_path / 'images/0.jpg', exif=header)
    assert check() == []
    Image.new('RGB', (width, height)).save(tmp_path / 'images/0.jpg', exif=header)
    assert f'{height}×{width} pixels, listed as {width}×{height}' in check()[0]


def test_a_test_filters_nothing(check, tmp_path):
    filters = dict(min_size=1000)
    with pytest.raises(UsageError, match='leaves no image'):
        check(filter_cfg=filters)
    assert check(filter_cfg=filters, test_mode=True) == []


def test_a_set_whose_truth_is_kept_back_can_be_tested_on(check, tmp_path):
    content = json.loads((tmp_path / 'train.json').read_text())
    del content['annotations']
    (tmp_path / 'train.json').write_text(json.dumps(content))
    assert check(test_mode=True) == []
    assert 'no box to learn from, of 0 annotations' in check()[0]


def test_classes_in_a_file_are_left_to_mmengine(check, tmp_path):
    content = json.loads((tmp_path / 'train.json').read_text())
    assert len(content['categories']) == 2
    (tmp_path / 'names.txt').write_text('cat\ndog\n')
    assert check(metainfo=Config(dict(classes=str(tmp_path / 'names.txt')))._cfg_dict) == []
