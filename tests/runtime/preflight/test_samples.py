"""A few images and label maps are opened before a run."""
import numpy as np
import pytest
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.preflight.samples import check_images, check_label_maps


def test_images_that_open_pass_and_other_files_are_passed_over(tmp_path):
    Image.new('RGB', (3, 3)).save(tmp_path / 'a.png')
    (tmp_path / 'notes.txt').write_text('no image')
    check_images(list(tmp_path.iterdir()), 'train_dataloader')


def test_bad_image_is_named_unless_it_may_pass(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    with pytest.raises(UsageError, match=r'a\.jpg \(8 bytes\) cannot be opened.*--skip-bad-images'):
        check_images([tmp_path / 'a.jpg'], 'train_dataloader')
    check_images([tmp_path / 'a.jpg'], 'train_dataloader', bad_ones_pass=True)


def test_missing_image_is_named_with_the_list(tmp_path):
    with pytest.raises(UsageError, match=r'none\.jpg does not exist, though .*list\.json lists it'):
        check_images([tmp_path / 'none.jpg'], 'train_dataloader', tmp_path / 'list.json', bad_ones_pass=True)


@pytest.mark.parametrize(('labels', 'reduce_zero_label', 'beyond'), [
    ((0, 1, 2), False, None), ((0, 3), False, 3), ((0, 1, 2, 3), True, None), ((0, 4), True, 4),
    ((0, 255), False, None)])
def test_label_beyond_the_classes_is_named(labels, reduce_zero_label, beyond, tmp_path):
    path = tmp_path / 'labels.png'
    Image.fromarray(np.array([labels], dtype=np.uint8)).save(path)
    if beyond is None:
        check_label_maps([path], 3, reduce_zero_label, 'train_dataloader')
    else:
        with pytest.raises(UsageError, match=rf'labels\.png holds label {beyond}, and 3 classes'):
            check_label_maps([path], 3, reduce_zero_label, 'train_dataloader')
