"""Faults that end a training in its library end the check; data that the library drops silently causes a warning.

Each case runs both ways: with the check, and with mmengine's Runner only.
"""
import json
import re
import subprocess
import sys

import own_data
import pytest
from own_data import change, label_map

from dmsca_mm import preflight
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.data import check_data
from dmsca_mm.runtime import run
from dmsca_mm.runtime.config import load_config

FILTER = "train_dataloader['dataset']['filter_cfg'] = dict(filter_empty_gt=True, min_size={})"
WITH_MASKS = """train_dataloader['dataset']['pipeline'] = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(160, 160), keep_ratio=True), dict(type='PackDetInputs')]"""
NO_PREFIX = "train_dataloader['dataset']['data_prefix'] = dict(_delete_=True, img_path='images/')"
OWN_CLASSES = "train_dataloader['dataset']['metainfo'] = dict(_delete_=True)"


def fewer(number):
    return lambda entries: entries[:number]


def each(**fields):
    return lambda entries: [{**entry, **fields} for entry in entries]


def recoded(encoding):
    def run(root):
        path = root / 'train.json'
        path.write_bytes(path.read_text().encode(encoding))
    return run


def of_file(name, **parts):
    return lambda root: change(root / name, **parts)


def other_evaluator(**parts):
    def run(root):
        (root / 'other.json').write_text((root / 'val.json').read_text())
        change(root / 'other.json', **parts)
    return run


OTHER = "val_evaluator['ann_file'] = val_evaluator['ann_file'].replace('val.json', 'other.json')"
DETECTION = {
    'no annotation': (of_file('train.json', annotations=[]), FILTER.format(0), ValueError,
                      'leaves no image to train on: 4 of 4 images have no annotation of a class'),
    'all too small': (None, FILTER.format(50), ValueError, '4 of 4 images are less than 50 pixels wide or high'),
    'classes of COCO': (None, f'{OWN_CLASSES}; {FILTER.format(0)}', ValueError,
                        "no category 'person', one of the data set's own classes"),
    'no prefix of images': (None, NO_PREFIX, KeyError, 'data_prefix has no img'),
    'annotation id twice': (of_file('train.json', annotations=each(id=3)), '', AssertionError,
                            r'annotations\[1\].id is 3, which annotations\[0\] has already \(7 of 8'),
    'UTF-16': (recoded('utf-16'), '', UnicodeDecodeError, 'is not JSON in utf-8'),
    'byte order mark': (recoded('utf-8-sig'), '', json.JSONDecodeError, 'is no JSON object .*BOM'),
    'no masks': (of_file('train.json', annotations=each(segmentation=[])), WITH_MASKS, KeyError,
                 '8 of 8 annotations have no mask'),
    'masks of another size': (of_file('train.json', annotations=each(segmentation=dict(size=[9, 9], counts=[81]))),
                              WITH_MASKS, ValueError, '8 of 8 masks are of another size than their image'),
    'image of the list missing': (lambda root: (root / 'images/2.jpg').unlink(), '', FileNotFoundError,
                                  r'2.jpg does not exist, though .* lists it \(1 of 4 are missing\)'),
    'no file to measure by': (None, OTHER, FileNotFoundError, 'val_evaluator: annotation file .* does not exist'),
    'measured by other images': (other_evaluator(images=fewer(2)), OTHER, AssertionError,
                                 'lacks 2 of 4 images of .*val.json, the first of id 2'),
    'measured by fewer classes': (other_evaluator(categories=fewer(1)), OTHER, IndexError, "no category 'elm'"),
}


def remove_suffix(root):
    for path in (root / 'images/train').iterdir():
        path.rename(path.with_suffix('.JPG'))


def maps(**options):
    def run(root):
        for path in (root / 'labels/train').iterdir():
            label_map(path, **options)
    return run


def small_maps(root):
    for path in (root / 'labels/val').iterdir():
        label_map(path, size=(32, 24))


def written_list(text):
    return lambda root: (root / 'list.txt').write_text(text)


LISTED = "train_dataloader['dataset']['ann_file'] = 'list.txt'"
REDUCED = """train_dataloader['dataset']['pipeline'] = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='Resize', scale=(160, 160), keep_ratio=True), dict(type='PackSegInputs')]"""
SEGMENTATION = {
    'suffix that nothing has': (remove_suffix, '', ValueError, "no file in .* ends in img_suffix='.jpg'.*'.JPG'"),
    'label map missing': (lambda root: (root / 'labels/train/3.png').unlink(), '', FileNotFoundError,
                          r'label map .*3.png does not exist, .*\(1 of 4 are missing\)'),
    'label maps of three channels': (maps(channels=3), '', Exception, '4 of 4 label maps .* more than one channel'),
    'label maps of another size': (small_maps, '', IndexError, '4 of 4 label maps .* of another size than their image'),
    'empty list': (written_list(''), LISTED, ValueError, 'list .*list.txt names no image'),
    'list of names with their suffix': (written_list('0.jpg\n1.jpg\n'), LISTED, FileNotFoundError,
                                        '0.jpg.jpg does not exist'),
    'zero is reduced in one place': (None, REDUCED,
                                     AssertionError, 'label map .* cannot be loaded: AssertionError'),
    'label map that is no image': (lambda root: (root / 'labels/train/0.png').write_bytes(b'none'), '', Exception,
                                   'label map .*0.png cannot be loaded'),
}
CASES = {**{name: (own_data.detector, *case) for name, case in DETECTION.items()},
         **{name: (own_data.segmenter, *case) for name, case in SEGMENTATION.items()}}


@pytest.mark.parametrize('make', [own_data.detector, own_data.segmenter])
def test_data_in_order_pass_without_a_warning_and_train(make, tmp_path, repository, capsys):
    path = make(tmp_path, repository)
    run.check(str(path))
    assert 'warning' not in capsys.readouterr().err
    own_data.train_as_the_library_does(path, tmp_path / 'work')


@pytest.mark.parametrize('name', CASES)
def test_what_ends_a_training_ends_the_check(name, tmp_path, repository, monkeypatch):
    make, harm, extra, ending, words = CASES[name]
    path = make(tmp_path, repository, extra)
    if harm is not None:
        harm(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    for command in (run.check, run.train):
        with pytest.raises(UsageError, match=words) as caught:
            command(str(path))
        assert '\n' not in str(caught.value)
    assert sorted(tmp_path.rglob('*')) == before, 'nothing is created before the check'
    with pytest.raises(ending):
        own_data.train_as_the_library_does(path, tmp_path / 'work')


def other_size(root):
    own_data.pictures(root / 'images', ['0.jpg', '1.jpg'], size=(48, 64))


def one_image_of_another_suffix(root):
    (root / 'images/train/3.jpg').rename(root / 'images/train/3.JPG')


def void(root):
    label_map(root / 'labels/train/1.png', labels=1, lowest=255)


DROPPED = {
    'boxes outside': (of_file('train.json', annotations=each(bbox=[99, 6, 20, 25])), '', '8 of 8 .* outside'),
    'boxes of negative size': (of_file('train.json', annotations=each(bbox=[25, 31, -20, -25])), '',
                               '8 of 8 annotations .* less than a pixel wide or high'),
    'boxes in shares of the image': (of_file('train.json', annotations=each(bbox=[0.1, 0.1, 0.3, 0.5])), '',
                                     'less than a pixel wide or high .* in pixels'),
    'boxes of two corners': (of_file('train.json', annotations=each(bbox=[25, 20, 45, 40])), '',
                             '8 of 8 annotations .* reach more than a pixel beyond'),
    'no area': (of_file('train.json', annotations=each(area=0)), '', '8 of 8 annotations .* area of 0 or less'),
    'crowds alone': (of_file('train.json', annotations=each(iscrowd=1)), '', '8 are kept, all of crowds'),
    'no annotation, no filter': (of_file('train.json', annotations=[]), '', 'leaves no box to learn from'),
    'annotations of other images': (of_file('train.json', images=fewer(3)), '', '2 of 8 annotations .* not list'),
    'annotations of other categories': (of_file('train.json', annotations=each(category_id=99)), '',
                                        '8 of 8 annotations .* category_id that the file does not list'),
    'some images without annotations': (of_file('train.json', annotations=fewer(6)), FILTER.format(0),
                                        '1 of 4 images have no annotation of a class'),
    'image id twice': (of_file('train.json', images=lambda images: [*images, {**images[0], 'file_name': '3.jpg'}]), '',
                       r'images\[4\].id is 0, which images\[0\] has already .* 0.jpg is left out'),
    'categories in another order': (of_file('train.json', categories=lambda entries: entries[::-1]), '',
                                    "label 0 is 'elm', and mmdet names it 'oak'"),
    'images of another size than listed': (other_size, '', '2 of 4 images .* are not of the size .* 48×64 pixels'),
    'masks without points': (of_file('train.json', annotations=each(segmentation=[[1, 2]])), WITH_MASKS,
                             '8 of 8 masks .* neither polygons'),
}
SILENT = {
    'one image of another suffix': (one_image_of_another_suffix, '', '1 of 4 images in .* do not end in .*3.JPG'),
    'void label map': (void, '', '1 of 4 label maps .* hold nothing but ignored labels'),
    'one label in all': (maps(labels=1), '', 'all 4 label maps .* hold only label 0'),
}
WARNED = {**{name: (own_data.detector, *case) for name, case in DROPPED.items()},
          **{name: (own_data.segmenter, *case) for name, case in SILENT.items()}}


@pytest.mark.parametrize('name', WARNED)
def test_what_the_library_drops_in_silence_is_a_warning(name, tmp_path, repository):
    make, harm, extra, words = WARNED[name]
    config = load_config(str(make(tmp_path, repository, extra)))
    harm(tmp_path)
    found = preflight.check_train(config, 1)
    assert re.search(words, '\n'.join(found)), found


@pytest.mark.slow
@pytest.mark.parametrize(('make', 'names'), [
    (own_data.detector, ('image id twice', 'categories in another order', 'images of another size than listed',
                         'boxes outside', 'some images without annotations')),
    (own_data.detector, ('crowds alone', 'annotations of other images', 'masks without points')),
    (own_data.detector, ('annotations of other categories',)),
    (own_data.detector, ('no annotation, no filter',)),
    (own_data.segmenter, tuple(SILENT))])
def test_the_library_trains_where_the_check_warns(make, names, tmp_path, repository, capsys):
    path = make(tmp_path, repository, ''.join({f'{WARNED[name][2]}\n' for name in names}))
    for name in names:
        WARNED[name][1](tmp_path)
    run.check(str(path))
    assert capsys.readouterr().err.count('warning: train_dataloader') >= len(names) - (make is own_data.segmenter)
    own_data.train_as_the_library_does(path, tmp_path / 'work')


def test_a_file_for_training_and_metrics_is_checked_for_both(tmp_path, repository):
    path = own_data.detector(tmp_path, repository, "train_dataloader['dataset']['ann_file'] = 'val.json'")
    change(tmp_path / 'val.json', annotations=lambda entries: [
        {key: value for key, value in entry.items() if key != 'iscrowd'} for entry in entries])
    with pytest.raises(UsageError, match=r'val_dataloader: annotation file .*iscrowd is missing'):
        run.check(str(path))


def test_images_that_no_list_names_do_not_matter(tmp_path, repository):
    config = load_config(str(own_data.detector(tmp_path, repository)))
    (tmp_path / 'images/unlisted.jpg').write_bytes(b'no image')
    assert preflight.check_train(config, 1) == []


def test_missing_and_broken_label_maps_are_left_to_a_run_that_skips_them(tmp_path, repository):
    config = load_config(str(own_data.segmenter(tmp_path, repository)))
    (tmp_path / 'labels/train/0.png').unlink()
    (tmp_path / 'labels/train/1.png').write_bytes(b'no image')
    label_map(tmp_path / 'labels/train/2.png', size=(9, 9))
    assert check_data(config, ('train_dataloader',), skip_bad_images=True) == []
    with pytest.raises(UsageError, match=r'0.png does not exist'):
        check_data(config, ('train_dataloader',))


@pytest.mark.slow
def test_the_command_ends_by_its_exit_code_in_one_line_and_writes_nothing(tmp_path, repository):
    def check(path):
        return subprocess.run([sys.executable, str(repository / 'tools/check.py'), str(path)], cwd=tmp_path, text=True,
                              capture_output=True, timeout=300)

    path = own_data.segmenter(tmp_path, repository)
    void(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    finished = check(path)
    assert finished.returncode == 0, finished.stderr
    assert 'warning: train_dataloader: 1 of 4 label maps' in finished.stderr
    maps(channels=3)(tmp_path)
    finished = check(path)
    assert finished.returncode == 2
    last = finished.stderr.splitlines()[-1]
    assert last.startswith('error: train_dataloader: 4 of 4 label maps that were opened (of 4) have more than one')
    assert 'Traceback' not in finished.stderr
    assert sorted(tmp_path.rglob('*')) == before
