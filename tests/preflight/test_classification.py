"""Data for classification: missing or invalid files are reported before a run starts."""
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

from dmsca_mm.compat import requirements
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.classification import _images
from dmsca_mm.preflight.data import check_data


@pytest.fixture(autouse=True)
def _mmpretrain():
    requirements.require('mmpretrain')


def check(classes=None, heads=None, **dataset):
    model = dict(head=dict(num_classes=heads)) if heads else {}
    named = dict(classes=classes) if classes else {}
    return check_data(Config(dict(default_scope='mmpretrain', model=model,
                                  train_dataloader=dict(dataset=dict(**dataset, **named)))), ('train_dataloader',))


@pytest.fixture
def folders(tmp_path):
    """Three classes of two images each, and lists of them."""
    for name in 'abc':
        (tmp_path / 'train' / name).mkdir(parents=True)
        for number in range(2):
            Image.new('RGB', (4, 4)).save(tmp_path / f'train/{name}/{number}.jpg')
    (tmp_path / 'meta').mkdir()
    return tmp_path


def custom(root, **options):
    return dict(type='CustomDataset', data_root=str(root), data_prefix='train', **options)


def test_folders_that_fit_pass_with_names_and_without(folders):
    assert check(**custom(folders), classes=('a', 'b', 'c'), heads=3) == []
    assert check(**custom(folders), heads=3) == []


def test_heads_are_compared_with_the_folders(folders):
    with pytest.raises(UsageError, match=r'model.head.num_classes is 2, the data of train_dataloader have 3 classes'):
        check(**custom(folders), heads=2)
    warning, = check(**custom(folders), heads=4)
    assert 'the others are never trained' in warning


@pytest.mark.parametrize(('change', 'words'), [
    (dict(data_prefix='none'), 'none does not exist; check data_root'),
    (dict(classes=('a', 'b')), 'holds 3 folders, there has to be one for each of 2 classes'),
    (dict(ann_file='none.txt'), 'list .*none.txt does not exist')])
def test_what_does_not_fit_is_named(change, words, folders):
    with pytest.raises(UsageError, match=words):
        check(**{**custom(folders), **change})


def test_the_images_of_a_class_are_those_that_mmpretrain_finds(folders):
    from mmpretrain.datasets import CustomDataset
    (folders / 'train/a/._0.jpg').write_bytes(b'macO')
    (folders / 'train/a/more/.deep').mkdir(parents=True)
    (folders / 'train/a/0.jpg').rename(folders / 'train/a/more/.deep/0.JPG')
    found = sorted(_images(folders / 'train/a', ('.jpg',)))
    theirs = CustomDataset(data_root=str(folders), data_prefix='train', extensions=('.JPG',))
    assert found == sorted(Path(theirs.get_data_info(place)['img_path']) for place in range(2))
    assert check(**custom(folders, extensions=('.JPG',)), heads=3) == []
    (folders / 'train/.cache').mkdir()
    assert len(CustomDataset(data_root=str(folders), data_prefix='train').CLASSES) == 4, 'a hidden folder is a class'
    with pytest.raises(UsageError, match='num_classes is 3, the data of train_dataloader have 4 classes'):
        check(**custom(folders), heads=3)
    with pytest.raises(UsageError, match=r'no file in the folders of .*train ends in \.webp; .*set extensions'):
        check(**custom(folders, extensions=('.webp',)))


def test_images_without_labels_need_no_folders(tmp_path):
    (tmp_path / 'train').mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'train/0.jpg')
    assert check(**custom(tmp_path, with_label=False)) == []
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta/test.txt').write_text('0.jpg\n')  # so ImageNet lists its test images
    assert check(type='ImageNet', data_root=str(tmp_path), split='test', data_prefix='train') == []


def test_images_without_folders_and_folders_without_images(tmp_path):
    (tmp_path / 'train').mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'train/0.jpg')
    with pytest.raises(UsageError, match=r'holds 0 folders, there has to be one for each of its classes'):
        check(**custom(tmp_path))
    (tmp_path / 'train/a').mkdir()
    with pytest.raises(UsageError, match=r'no file in the folders of .* ends in \.jpg, '):
        check(**custom(tmp_path))


def test_every_class_has_images_in_the_sample(folders):
    for number in range(2, 80):
        (folders / f'train/a/{number}.jpg').symlink_to(folders / 'train/a/0.jpg')
    (folders / 'train/c/0.jpg').write_bytes(b'no image')
    with pytest.raises(UsageError, match=r'c/0.jpg \(8 bytes\) cannot be opened'):
        check(**custom(folders))


@pytest.mark.parametrize(('content', 'words'), [
    ('a/0.jpg 0\nb/1.jpg 2\n', None), ('', 'is empty'), ('a/0.jpg\n', 'line 1: .* is not an image name'),
    ('a/0.jpg 0\nb/0.jpg 3\n', 'line 2: label 3 is out of range 0 to 2'),
    ('a/9.jpg 0\n', '9.jpg does not exist, though .*list.txt lists it')])
def test_lists_are_read_line_by_line(content, words, folders):
    (folders / 'list.txt').write_text(content)
    options = custom(folders, ann_file='list.txt', classes=('a', 'b', 'c'))
    if words is None:
        assert check(**options, heads=3) == []
    else:
        with pytest.raises(UsageError, match=words):
            check(**options)


def test_imagenet_is_looked_for_in_the_folder_of_its_split(folders):
    imagenet = dict(type='ImageNet', data_root=str(folders), split='train')
    with pytest.raises(UsageError, match='holds 3 folders, there has to be one for each of 1000 classes'):
        check(**imagenet)
    (folders / 'meta/train.txt').write_text('a/0.jpg 999\n')  # if the list exists, it counts
    assert check(**imagenet, heads=1000) == []
    with pytest.raises(UsageError, match=r'imagenet/val does not exist; get it from https://www.image-net.org'):
        check(type='ImageNet', data_root='data/imagenet', split='val')


def test_cifar_is_there_or_may_be_fetched(tmp_path):
    cifar = dict(type='CIFAR100', data_root=f'{tmp_path}/cifar100', split='train')
    with pytest.raises(UsageError, match=r'cifar-100-python does not exist; get it from https://www.cs.toronto.edu'):
        check(**cifar, download=False)
    assert check(**cifar) == []  # mmpretrain downloads it
    (tmp_path / 'old/cifar-100-python').mkdir(parents=True)
    assert check(type='CIFAR100', data_prefix=f'{tmp_path}/old', download=False) == []
    (tmp_path / 'cifar100/cifar-100-python').mkdir(parents=True)
    with pytest.raises(UsageError, match='num_classes is 10, the data of train_dataloader have 100 classes'):
        check(**cifar, download=False, heads=10)


def test_other_data_sets_of_mmpretrain_are_left_to_it():
    assert check(type='Flowers102', data_root='none', split='train') == []
