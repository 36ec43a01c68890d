"""Corrupted images match the library's, in OpenMMLab's channel order, and are reproducible byte for byte."""
import subprocess
import sys
import zlib
from importlib.metadata import PackageNotFoundError

import imagecorruptions
import numpy as np
import pytest

from dmsca_mm.analysis.robustness import (
    CORRUPTIONS,
    GROUPS,
    check_severities,
    chosen,
    corrupt,
    corruptions,
)
from dmsca_mm.errors import ImageError, UsageError


def photograph(height=64, width=48):
    """Smooth colours that differ between channels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 2, 255 - x - y], -1).astype(np.uint8)


def test_the_fifteen_are_those_of_the_library_in_its_groups():
    assert list(CORRUPTIONS) == imagecorruptions.get_corruption_names()
    for group, names in GROUPS.items():
        assert list(names) == imagecorruptions.get_corruption_names(group)


@pytest.mark.parametrize('corruption', CORRUPTIONS)
def test_image_is_the_librarys_with_channels_turned(corruption):
    image = photograph()
    found = corrupt(image, corruption, 4, seed=7)
    options = dict(seed=7) if corruption in ('impulse_noise', 'glass_blur') else {}
    np.random.seed(7)
    theirs = imagecorruptions.corrupt(image[..., ::-1].copy(), severity=4, corruption_name=corruption, **options)
    np.testing.assert_array_equal(found, theirs[..., ::-1])
    assert not np.array_equal(found, image)
    assert found.flags.c_contiguous


RANDOM = ('gaussian_noise', 'shot_noise', 'impulse_noise', 'glass_blur', 'motion_blur', 'snow', 'frost', 'fog',
          'elastic_transform')


@pytest.mark.parametrize('corruption', RANDOM)
def test_another_seed_gives_another_image_and_the_same_one_the_same(corruption):
    first, second, again = (corrupt(photograph(), corruption, 3, seed) for seed in (2 ** 32 - 1, 5, 2 ** 32 - 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_another_process_gives_the_same_bytes(repository):
    names = [name for name in CORRUPTIONS if name != 'glass_blur']  # it takes long to compile
    code = ('import sys, zlib; sys.path.insert(0, "tests/analysis/robustness")\n'
            'from test_corruptions import *\n'
            f'print([zlib.crc32(corrupt(photograph(), name, 5, 3)) for name in {names[::-1]}])')
    other = subprocess.run([sys.executable, '-c', code], cwd=repository, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str([zlib.crc32(corrupt(photograph(), name, 5, 3)) for name in names][::-1])


@pytest.mark.parametrize('corruption', ['gaussian_noise', 'glass_blur'])
def test_global_random_state_and_the_image_stay(corruption):
    np.random.seed(1)
    expected = np.random.random(3)
    np.random.seed(1)
    image = photograph()
    corrupt(image, corruption, 3, 0)
    np.testing.assert_array_equal(np.random.random(3), expected)
    np.testing.assert_array_equal(image, photograph())


@pytest.mark.parametrize('size', [(32, 32), (33, 200), (201, 35)])
@pytest.mark.parametrize('severity', [1, 5])
def test_every_corruption_keeps_shape_and_type(size, severity):
    for corruption in CORRUPTIONS:
        found = corrupt(photograph(*size), corruption, severity, 0)
        assert found.shape == (*size, 3), corruption
        assert found.dtype == np.uint8


@pytest.mark.parametrize(('image', 'words'), [
    (photograph(31, 40), '40×31 pixels.*at least 32'), (photograph(40, 31), '31×40 pixels'),
    (photograph().astype('float32'), 'float32.*uint8'), (photograph()[..., 0], r'shape \(64, 48\)')])
def test_image_that_cannot_be_corrupted_is_told(image, words):
    with pytest.raises(ImageError, match=words):
        corrupt(image, 'fog', 1, 0)


def test_unknown_names_are_told_with_those_there_are():
    with pytest.raises(UsageError, match=r"'rain'.*noise, blur.*gaussian_noise"):
        chosen(['fog', 'rain'])
    with pytest.raises(UsageError, match=r"'noise'.*gaussian_noise"):
        corrupt(photograph(), 'noise', 1, 0)
    for severity in (0, 6):
        with pytest.raises(UsageError, match=f'severity {severity} .*1, 2, 3, 4, 5'):
            check_severities([1, severity])
        with pytest.raises(UsageError, match=f'severity {severity} '):
            corrupt(photograph(), 'fog', severity, 0)


def test_groups_stand_for_their_corruptions_each_once_and_in_order():
    assert chosen(['fog', 'noise', 'shot_noise']) == (*GROUPS['noise'], 'fog')
    assert chosen(list(GROUPS)) == CORRUPTIONS


@pytest.mark.parametrize('there', ['nothing', 'the older package'])
def test_missing_package_is_told_with_the_command(there, monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)
    if there == 'nothing':
        monkeypatch.setitem(sys.modules, 'imagecorruptions', None)
    else:
        monkeypatch.setattr(corruptions, 'version', version)
    corruptions.library.cache_clear()
    with pytest.raises(UsageError, match='"pip install imagecorruptions-imaug"'):
        corruptions.library()
