"""A few images and label maps are opened before a run."""
import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.samples import SAMPLE, check_images, spread


def test_images_that_open_pass_and_other_files_are_passed_over(tmp_path):
    Image.new('RGB', (3, 3)).save(tmp_path / 'a.png')
    (tmp_path / 'notes.txt').write_text('no image')
    check_images(list(tmp_path.iterdir()), 'train_dataloader')


def test_a_tiff_that_opencv_alone_can_open_passes(tmp_path):
    cv2.imwrite(str(tmp_path / 'bands.tif'), np.zeros((3, 3, 4), np.float32))
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / 'bands.tif')
    check_images([tmp_path / 'bands.tif'], 'train_dataloader')


def test_a_sample_is_spread_over_the_whole_list():
    found = spread([*range(5 * SAMPLE - 3)])
    assert len(found) == SAMPLE
    assert (found[0], found[-1]) == (0, 5 * (SAMPLE - 1))
    assert spread([7]) == [7]


def test_bad_image_is_named_unless_it_may_pass(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    with pytest.raises(UsageError, match=r'a\.jpg \(8 bytes\) cannot be opened.*--skip-bad-images'):
        check_images([tmp_path / 'a.jpg'], 'train_dataloader')
    check_images([tmp_path / 'a.jpg'], 'train_dataloader', bad_ones_pass=True)
    with pytest.raises(UsageError, match=r'replace it$'):  # skipping bad images applies to training only
        check_images([tmp_path / 'a.jpg'], 'val_dataloader')
