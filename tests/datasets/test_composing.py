"""Composed images: held-out writers and photographs, digits that fit and are legible."""
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dmsca_mm.datasets import composing
from dmsca_mm.datasets.composing import compose, material
from dmsca_mm.datasets.digits import DigitsParameters, make_digits
from dmsca_mm.errors import UsageError


def test_splits_share_no_writer_and_no_photograph():
    from sklearn.datasets import load_digits
    training, validation = material('training')[1:], material('validation')[1:]
    every = load_digits()
    assert len(training[1]) in composing.WRITER_STARTS
    assert np.array_equal(np.concatenate([training[0], validation[0]]) * 16, every.images)
    assert np.array_equal(np.concatenate([training[1], validation[1]]), every.target)
    assert not set(composing.PHOTOGRAPHS['training']) & set(composing.PHOTOGRAPHS['validation'])


def test_photographs_lie_in_the_wheel_of_scikit_image():
    import skimage
    shipped = {path.stem for path in (Path(skimage.__file__).parent / 'data').iterdir()} | {'immunohistochemistry'}
    assert (Path(skimage.__file__).parent / 'data' / 'ihc.png').exists()
    for names in composing.PHOTOGRAPHS.values():
        assert set(names) <= shipped


@pytest.mark.parametrize(('wanted', 'size', 'scales'), [(6, 160, (0.27, 0.42)), (1, 48, (0.7, 0.95))])
def test_every_digit_stands_out_from_its_surroundings(wanted, size, scales):
    """Compare the strokes' mean luminance with the median around them, before JPEG compression."""
    parts = material('validation')
    for index in range(30):
        sample = compose(np.random.default_rng(index), *parts, wanted, size, scales)
        assert 1 <= len(sample.boxes) <= wanted
        grey = cv2.cvtColor(sample.image, cv2.COLOR_BGR2GRAY).astype(float)
        for box in sample.boxes:
            left, top, width, height = box['bbox']
            place = slice(top, top + height), slice(left, left + width)
            stroke = sample.labels[place] == box['category_id'] + 1
            assert abs(grey[place][stroke].mean() - np.median(grey[place][~stroke])) > 30


def test_a_digit_too_large_for_the_image_is_drawn_again_smaller():
    """Fields are 0.9 to 1.3 times the side of the image; those whose strokes fit are used."""
    parts = material('training')
    for index in range(20):
        sample = compose(np.random.default_rng(index), *parts, 1, 32, (0.9, 1.3))
        _, _, width, height = sample.boxes[0]['bbox']
        assert max(width, height) <= 32
        assert max(width, height) > 20


@pytest.mark.parametrize('package', ['sklearn.datasets', 'skimage'])
def test_a_missing_package_is_named_with_the_way_out(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f'{package} is missing: pip install scikit-learn scikit-image'):
        make_digits(tmp_path / 'digits', DigitsParameters())
    assert list(tmp_path.iterdir()) == []
