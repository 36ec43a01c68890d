"""The place where a run writes: nothing is in the way, and the disk has enough space."""
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import place
from dmsca_mm.preflight.place import check_checkpoint_folder, check_writable, checkpoint_folders


def test_work_directory_with_checkpoints_is_not_overwritten_silently(tmp_path):
    check_checkpoint_folder(tmp_path / 'new', resume=False, overwrite=False)
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(UsageError, match=r'epoch_1\.pth.*--resume.*--work-dir.*--overwrite'):
        check_checkpoint_folder(tmp_path, resume=False, overwrite=False)
    check_checkpoint_folder(tmp_path, resume=True, overwrite=False)
    check_checkpoint_folder(tmp_path, resume=False, overwrite=True)


def test_checkpoints_beyond_the_work_directory_are_not_overwritten_either(tmp_path):
    config = Config(dict(work_dir='work_dirs/run', default_hooks=dict(checkpoint=dict(out_dir=str(tmp_path)))))
    assert checkpoint_folders(config) == [Path('work_dirs/run'), tmp_path / 'run']
    config.default_hooks.checkpoint.out_dir = 's3://bucket'
    assert checkpoint_folders(config) == [Path('work_dirs/run')]


@pytest.mark.parametrize(('free', 'kept', 'expected'), [
    (5.9, 2, 'error'), (6.1, -1, 'warning'), (8.9, 2, 'warning'), (9.1, 2, 'fine'), (33.1, -1, 'fine')])
def test_room_for_checkpoints(free, kept, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=free * 1e6))
    model = torch.nn.Linear(250_000, 1, bias=False)  # a megabyte, three with Adam's moments
    config = Config(dict(default_hooks=dict(checkpoint=dict(interval=1, max_keep_ckpts=kept)),
                         train_cfg=dict(max_epochs=10)))
    if expected == 'error':
        message = f'{tmp_path} has 6 MB free, and two checkpoints take about 6 MB'
        with pytest.raises(UsageError, match=re.escape(message)):
            place.check_room(tmp_path / 'new' / 'run', config, model)
    else:
        found = place.check_room(tmp_path / 'new' / 'run', config, model)
        assert ['warning' if found else 'fine'] == [expected]
        assert all('max_keep_ckpts=2' in line for line in found)


@pytest.mark.parametrize('name', ['file', 'file/below', 'file/below/it', 'dangling', 'x' * 300])
def test_folder_that_cannot_be_made_is_named_and_nothing_made(name, tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(UsageError, match=rf'folder {tmp_path / name} cannot be created'):
        check_writable(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {'file', 'dangling'}


def test_folder_of_another_user(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: path != tmp_path)
    with pytest.raises(UsageError, match=rf'{tmp_path}/work cannot be written: {tmp_path} is read-only or belongs to'):
        check_checkpoint_folder(tmp_path / 'work', resume=False, overwrite=False)
    check_writable(tmp_path.parent / 'other')


@pytest.mark.skipif(shutil.which('unshare') is None, reason='mounting for one process alone takes unshare')
def test_read_only_mount(tmp_path, repository):
    """A folder whose permissions allow writing, on a read-only mount."""
    command = f"""mount -t tmpfs -o ro none {shlex.quote(str(tmp_path))} || exit 77
{shlex.quote(sys.executable)} -c 'import sys; from pathlib import Path
from dmsca_mm.preflight.place import check_writable
check_writable(Path(sys.argv[1]) / "work")' {shlex.quote(str(tmp_path))}"""
    ended = subprocess.run(['unshare', '--mount', '--map-root-user', 'sh', '-c', command], capture_output=True,
                           text=True, cwd=repository)
    if ended.returncode == 77 or 'unshare' in ended.stderr:
        pytest.skip(f'this machine allows no mount: {ended.stderr.strip()}')
    assert f'work cannot be written: {tmp_path} is read-only' in ended.stderr
