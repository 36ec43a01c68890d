"""A sample of the label maps, spread over the data set, is loaded as the pipeline loads them."""
import numpy as np
import own_data
import pytest
from mmcv.transforms import LoadAnnotations
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.label_maps import check_maps

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]


@pytest.fixture
def check(tmp_path):
    from mmseg.datasets import BaseSegDataset

    def run(pipeline=PIPELINE, skip=False, ignored=frozenset({255}), **options):
        built = BaseSegDataset(data_root=str(tmp_path), metainfo=dict(classes=own_data.CLASSES), lazy_init=True,
                               data_prefix=dict(img_path='images', seg_map_path='labels'), **options)
        found, run.labels = check_maps(built.load_data_list(), pipeline, built, 'mmseg', set(ignored),
                                       'train_dataloader', skip)
        return found
    return run


def make(root, number, **options):
    own_data.pictures(root / 'images', [f'{place:04d}.jpg' for place in range(number)])
    for place in range(number):
        own_data.label_map(root / f'labels/{place:04d}.png', place, **options)


def test_colours_are_named_and_a_palette_is_none(check, tmp_path):
    make(tmp_path, 3)
    picture = Image.open(tmp_path / 'labels/0001.png')
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / 'labels/0001.png')
    assert check() == [], 'its numbers are the labels'
    picture.convert('RGB').save(tmp_path / 'labels/0001.png')
    with pytest.raises(UsageError, match=r'1 of 3 label maps .* the first is .*0001.png, of shape \(48, 64, 3\)'):
        check()


def test_maps_of_another_size_are_counted_or_left_to_a_run_that_skips_them(check, tmp_path):
    make(tmp_path, 3)
    own_data.label_map(tmp_path / 'labels/0002.png', size=(10, 20))
    with pytest.raises(UsageError, match=r'1 of 3 label maps .*0002.png with 10×20 pixels, its image has 64×48'):
        check()
    assert check(skip=True) == []
    make(tmp_path, 3, size=(10, 20))
    with pytest.raises(UsageError, match='3 of 3 label maps'):
        check(skip=True)


def test_maps_without_a_label_are_counted(check, tmp_path):
    make(tmp_path, 3)
    Image.fromarray(np.full((48, 64), 255, np.uint8)).save(tmp_path / 'labels/0001.png')
    assert '1 of 3 label maps' in check()[0]
    make(tmp_path, 3, labels=1)
    assert '3 of 3 label maps' in check(reduce_zero_label=True)[0]
    assert 'reduce_zero_label=True label 0 is ignored' in check(reduce_zero_label=True)[0]
    assert 'hold only label 0' in check()[0]
    assert '3 of 3 label maps' in check(ignored={0})[0]


def test_nothing_is_read_where_the_pipeline_reads_nothing(check, tmp_path):
    make(tmp_path, 1, channels=3)
    assert check(pipeline=[dict(type='LoadImageFromFile')]) == []

    class Own(LoadAnnotations):
        pass
    assert check(pipeline=[dict(type='LoadImageFromFile'), dict(type=Own)]) == [], 'it may need what other steps add'


def test_each_label_is_returned_with_the_first_file_that_holds_it(check, tmp_path):
    make(tmp_path, 1)
    for name, labels in dict(a=(0, 1), b=(1, 255)).items():
        own_data.pictures(tmp_path / 'images', [f'{name}.jpg'])
        with Image.open(tmp_path / 'images' / f'{name}.jpg') as image:
            wide, high = image.size
        Image.fromarray(np.resize(np.array(labels, dtype=np.uint8), (high, wide))).save(tmp_path / f'labels/{name}.png')
    (tmp_path / 'images/0000.jpg').unlink()
    (tmp_path / 'labels/0000.png').unlink()
    assert check() == []
    assert {label: path[-5:] for label, path in check.labels.items()} == {0: 'a.png', 1: 'a.png', 255: 'b.png'}
