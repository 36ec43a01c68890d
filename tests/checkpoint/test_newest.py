"""The newest complete checkpoint of a work directory is found past truncated ones."""
import time

import pytest
import torch

from dmsca_mm.checkpoint.newest import newest
from dmsca_mm.errors import UsageError


def save(path, value):
    torch.save(dict(state_dict=dict(weight=torch.full((100,), value))), path)
    time.sleep(0.01)  # so that their times differ


def test_newest_whole_checkpoint_is_found_past_broken_ones(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path / f'epoch_{epoch}.pth', epoch)
    save(tmp_path / 'best_coco_bbox_mAP_epoch_1.pth', 1)
    assert newest(tmp_path) == (str(tmp_path / 'epoch_3.pth'), [])
    (tmp_path / 'epoch_3.pth').write_bytes((tmp_path / 'epoch_3.pth').read_bytes()[:300])
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    path, passed_over = newest(tmp_path)
    assert path == str(tmp_path / 'epoch_2.pth')
    assert len(passed_over) == 1
    assert 'epoch_3.pth (300 bytes) is cut short' in passed_over[0]


def test_pointer_comes_before_time_and_may_name_a_folder_that_moved(tmp_path):
    for epoch in (2, 1):
        save(tmp_path / f'epoch_{epoch}.pth', epoch)
    (tmp_path / 'last_checkpoint').write_text('elsewhere/epoch_2.pth')
    assert newest(tmp_path)[0] == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'original').mkdir()
    save(tmp_path / 'original/epoch_2.pth', 2)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'original/epoch_2.pth'))
    assert newest(tmp_path)[0] == str(tmp_path / 'epoch_2.pth'), 'a copy of a folder that is still in use'
    for invalid in (b'', b'\0' * 20, b'\xff\xfe\x00epoch'):  # what a power failure leaves
        (tmp_path / 'last_checkpoint').write_bytes(invalid)
        assert newest(tmp_path)[0] == str(tmp_path / 'epoch_1.pth')


def test_newest_of_several_folders_is_found_past_broken_ones(tmp_path):
    """A run whose checkpoint hook saves elsewhere."""
    work, out = tmp_path / 'work', tmp_path / 'out'
    for folder in (work, out):
        folder.mkdir()
    save(out / 'epoch_2.pth', 2)
    save(out / 'epoch_3.pth', 3)
    (work / 'last_checkpoint').write_text('/before/it/moved/epoch_3.pth')
    assert newest(work, out)[0] == str(out / 'epoch_3.pth')
    (out / 'epoch_3.pth').write_bytes(b'PK')
    (work / 'last_checkpoint').write_text(str(out / 'epoch_3.pth'))
    assert newest(work, out)[0] == str(out / 'epoch_2.pth')
    save(work / 'epoch_3.pth', 3)
    save(out / 'epoch_3.pth', 3)
    save(work / 'epoch_1.pth', 1)
    assert newest(work, out)[0] == str(out / 'epoch_3.pth'), 'the one that was named, not its namesake'


def test_no_checkpoint_is_none_and_only_broken_ones_are_an_error(tmp_path):
    assert newest(tmp_path) == (None, [])
    (tmp_path / 'epoch_1.pth').write_bytes(b'half')
    with pytest.raises(UsageError, match=r'no complete checkpoint in .*epoch_1.pth.*start anew with --overwrite'):
        newest(tmp_path)
