"""The built-in data set for classification: same bytes, one folder per class, readable by mmpretrain's loader."""
import hashlib
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from dmsca_mm.datasets import digit_classes, digits
from dmsca_mm.datasets.composing import Sample, material
from dmsca_mm.datasets.digit_classes import DigitClassesParameters, make_digit_classes, samples
from dmsca_mm.errors import UsageError

SMALL = DigitClassesParameters(training=30, validation=11, seed=3)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('classes') / 'data' / 'digit_classes'
    assert make_digit_classes(root, SMALL)
    return root


def content(root):
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob('*')) if path.is_file()}


def test_same_seed_same_bytes_other_seed_other_images(made, tmp_path):
    make_digit_classes(tmp_path / 'again', SMALL)
    assert content(tmp_path / 'again') == content(made)
    make_digit_classes(tmp_path / 'other', replace(SMALL, seed=4))
    one, other = content(made), content(tmp_path / 'other')
    assert one.keys() == other.keys()
    assert not any(one[name] == other[name] for name in one)


def test_an_image_does_not_depend_on_how_many_are_made():
    few, more = (list(samples('validation', replace(SMALL, validation=count))) for count in (10, 12))
    assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(few, more[:10], strict=True))


def test_splits_share_no_writer_and_show_no_photograph_that_detection_holds_out(monkeypatch):
    held_out, theirs = (material(split) for split in ('validation', 'training'))
    drawn = {}

    def compose(rng, photographs, glyphs, numbers, *rest):
        drawn['photographs'] = {photograph.tobytes() for photograph in photographs}
        drawn.setdefault('glyphs', set()).update(glyph.tobytes() for glyph in glyphs)
        return Sample(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), [])
    monkeypatch.setattr(digit_classes, 'compose', compose)
    for split, glyphs in (('training', theirs[1]), ('validation', held_out[1])):
        drawn.clear()
        assert len(list(samples(split, SMALL))) == getattr(SMALL, split)
        assert drawn['glyphs'] == {glyph.tobytes() for glyph in glyphs}
        assert drawn['photographs'] == {photograph.tobytes() for photograph in theirs[0]}


def test_images_are_not_those_for_detection():
    mine = next(samples('training', replace(SMALL, size=96)))[0]
    theirs = next(digits.samples('training', digits.DigitsParameters(training=1, size=96, seed=3))).image
    assert not np.array_equal(mine, theirs)


def test_classes_take_turns_and_lie_in_folders_of_their_names(made):
    for split, wanted in (('training', [3] * 10), ('validation', [2] + [1] * 9)):
        assert [len(list((made / split / str(digit)).iterdir())) for digit in range(10)] == wanted
    assert cv2.imread(str(made / 'training/7/000017.jpg')).shape == (64, 64, 3)


def test_loader_of_mmpretrain_gives_the_classes(made, repository):
    from dmsca_mm.compat import requirements
    requirements.require('mmpretrain')
    config = Config.fromfile(repository / 'configs/pretrain/resnet50_dmsca_digits.py')
    for split, loader in (('training', config.train_dataloader), ('validation', config.test_dataloader)):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(dict(loader.dataset, data_root=str(made)))
        assert len(dataset) == getattr(SMALL, split)
        assert dataset.metainfo['classes'] == tuple('0123456789')
        labels = Counter(int(dataset[place]['data_samples'].gt_label) for place in range(len(dataset)))
        assert labels == Counter(place % 10 for place in range(len(dataset)))
        assert dataset[0]['inputs'].shape == (3, 64, 64)


def test_a_missing_image_is_noticed(tmp_path):
    make_digit_classes(tmp_path / 'digits', SMALL)
    (tmp_path / 'digits/training/3/000003.jpg').unlink()
    with pytest.raises(UsageError, match='incomplete, training holds 29 images of 30'):
        make_digit_classes(tmp_path / 'digits', SMALL)


def test_each_class_needs_an_image():
    with pytest.raises(UsageError, match='digits: training is 9, must be at least 10'):
        DigitClassesParameters(training=9)


@pytest.mark.slow
def test_the_command_makes_and_finds_it(tmp_path, repository):
    def run():
        command = [sys.executable, str(repository / 'tools/make_digits.py'), '--task', 'classification',
                   '--training', '20', '--validation', '10']
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True,
                              env={'PYTHONPATH': str(repository), 'PATH': '/usr/bin:/bin'})
    assert 'made, 20 training and 10 validation images in data/digit_classes' in run().stdout
    assert 'already there' in run().stdout
