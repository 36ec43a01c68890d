"""The checked files of a data set for segmentation are those that mmseg lists."""
import own_data
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.segmentation import check_segmentation


@pytest.fixture
def check(tmp_path, repository):
    from mmseg.datasets import BaseSegDataset, CityscapesDataset
    own_data.segmenter(tmp_path, repository)

    def run(kind=BaseSegDataset, **options):
        dataset = dict(type=kind.__name__, data_root=str(tmp_path), metainfo=dict(classes=own_data.CLASSES),
                       data_prefix=dict(img_path='images', seg_map_path='labels'), pipeline=[])
        return check_segmentation({**dataset, **options}, kind, 'mmseg', {255}, 'train_dataloader', False)[0]
    run.cityscapes = CityscapesDataset
    return run


def test_folders_in_folders_are_read(check, tmp_path):
    assert check() == []
    (tmp_path / 'labels/val/2.png').unlink()
    with pytest.raises(UsageError, match=r'val/2.png does not exist, though .* lists it \(1 of 8 are missing\)'):
        check()


def test_suffixes_of_a_data_sets_own_class_count(check, tmp_path):
    with pytest.raises(UsageError, match=r"no file in .* ends in img_suffix='_leftImg8bit.png'; by suffix there are 8 "
                                         r"of .jpg: set img_suffix='.jpg'"):
        check(check.cityscapes, metainfo=None)
    for path in (*tmp_path.glob('images/*/*'), *tmp_path.glob('labels/*/*')):
        path.rename(path.with_name(f'{path.stem}{"_leftImg8bit" if "images" in str(path) else "_gtFine_labelTrainIds"}'
                                   '.png'))
    assert check(check.cityscapes, metainfo=None) == []


def test_images_and_label_maps_in_one_folder_are_told_apart(check, tmp_path):
    for path in tmp_path.glob('labels/*/*'):
        path.rename(tmp_path / 'images' / path.parent.name / path.name)
    assert check(data_prefix=dict(img_path='images', seg_map_path='images')) == []


def test_what_the_class_refuses_is_named(check):
    with pytest.raises(UsageError, match=r"metainfo\.classes names 'oak', which CityscapesDataset does not have"):
        check(check.cityscapes)
    with pytest.raises(UsageError, match='train_dataloader: data set BaseSegDataset cannot be built: TypeError: '):
        check(unknown=1)


def test_images_without_labels_are_enough_for_a_test(check, tmp_path):
    assert check(data_prefix=dict(img_path='images')) == []
