"""A kill, a full disk or half a file never costs a checkpoint that was there before."""
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import toy
from mmengine.config import Config
from mmengine.fileio import LocalBackend, get_file_backend, register_backend

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import saving

KILLS = 20
WRITER = """
import sys
from dmsca_mm.runtime.saving import write_whole
print('ready', flush=True)
for turn in range(10 ** 9):
    write_whole(bytes([turn % 251]) * 8_000_000, sys.argv[1])
"""


@pytest.fixture(autouse=True)
def backend():
    """Whole files while the test runs, mmengine's own afterwards."""
    saving.install(Config())
    yield
    register_backend('local', LocalBackend, force=True, prefixes='')


@pytest.mark.soak
def test_killed_writer_leaves_the_old_or_the_new_content(tmp_path):
    path, seeded = tmp_path / 'epoch_1.pth', random.Random(0)
    found = set()
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, '-c', WRITER, path], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(seeded.uniform(0.005, 0.12))
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            content = path.read_bytes()
            assert len(content) == 8_000_000
            assert len(set(content)) == 1
            found.add(content[0])
    assert found, 'no writer lived long enough to write anything'


@pytest.fixture
def full_disk():
    """The system refuses files beyond a megabyte, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_one_line_and_leaves_the_old_content(tmp_path, full_disk):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'good')
    with pytest.raises(UsageError, match=r'could not be written \(2.0 MB: File too large\); its earlier content'):
        saving.write_whole(bytes(2_000_000), path)
    assert path.read_bytes() == b'good'
    assert list(tmp_path.iterdir()) == [path], 'nothing half written is left'


def test_every_file_that_mmengine_writes_is_whole(tmp_path, full_disk):
    backend = get_file_backend(str(tmp_path / 'any.pth'))
    with pytest.raises(UsageError, match='could not be written'):
        backend.put(bytes(2_000_000), str(tmp_path / 'any.pth'))
    backend.put(b'small', tmp_path / 'new' / 'any.pth')
    assert (tmp_path / 'new' / 'any.pth').read_bytes() == b'small'


def test_old_checkpoint_goes_after_the_new_one_has_come(tmp_path, monkeypatch):
    training = toy.runner(tmp_path, max_keep_ckpts=1)
    seen, write = [], saving.write_whole

    def watched(content, path):
        seen.append((Path(path).name, sorted(p.name for p in tmp_path.glob('*.pth'))))
        write(content, path)

    monkeypatch.setattr(saving, 'write_whole', watched)
    training.train()
    assert seen == [('epoch_1.pth', []), ('last_checkpoint', ['epoch_1.pth']),
                    ('epoch_2.pth', ['epoch_1.pth']), ('last_checkpoint', ['epoch_1.pth', 'epoch_2.pth']),
                    ('epoch_3.pth', ['epoch_2.pth']), ('last_checkpoint', ['epoch_2.pth', 'epoch_3.pth'])]
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


def test_failed_write_ends_the_run_and_keeps_what_was_there(tmp_path, monkeypatch):
    training, write = toy.runner(tmp_path, max_keep_ckpts=1), saving.write_whole

    def fails(content, path):
        if Path(path).name == 'epoch_2.pth':
            raise UsageError('disk full')
        write(content, path)

    monkeypatch.setattr(saving, 'write_whole', fails)
    with pytest.raises(UsageError, match='disk full'):
        training.train()
    assert saving.newest(tmp_path) == (str(tmp_path / 'epoch_1.pth'), [])


def test_run_goes_on_from_the_kept_checkpoint_as_if_nothing_had_been(tmp_path):
    whole = toy.runner(tmp_path / 'whole')
    whole.train()
    toy.runner(tmp_path / 'cut', epochs=2).train()
    again = toy.runner(tmp_path / 'cut')
    path, _ = saving.newest(tmp_path / 'cut')
    again.resume(path)
    again.train()
    assert torch.equal(again.model.weight, whole.model.weight)


def save(path, value):
    torch.save(dict(state_dict=dict(weight=torch.full((100,), value))), path)
    time.sleep(0.01)  # so that their times differ


def test_newest_whole_checkpoint_is_found_past_broken_ones(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path / f'epoch_{epoch}.pth', epoch)
    save(tmp_path / 'best_coco_bbox_mAP_epoch_1.pth', 1)
    assert saving.newest(tmp_path) == (str(tmp_path / 'epoch_3.pth'), [])
    (tmp_path / 'epoch_3.pth').write_bytes((tmp_path / 'epoch_3.pth').read_bytes()[:300])
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    path, passed_over = saving.newest(tmp_path)
    assert path == str(tmp_path / 'epoch_2.pth')
    assert len(passed_over) == 1
    assert 'epoch_3.pth (300 bytes) is cut short' in passed_over[0]


def test_pointer_comes_before_time_and_may_name_a_folder_that_moved(tmp_path):
    for epoch in (2, 1):
        save(tmp_path / f'epoch_{epoch}.pth', epoch)
    (tmp_path / 'last_checkpoint').write_text('elsewhere/epoch_2.pth')
    assert saving.newest(tmp_path)[0] == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text('')
    assert saving.newest(tmp_path)[0] == str(tmp_path / 'epoch_1.pth')


def test_no_checkpoint_is_none_and_only_broken_ones_are_an_error(tmp_path):
    assert saving.newest(tmp_path) == (None, [])
    (tmp_path / 'epoch_1.pth').write_bytes(b'half')
    with pytest.raises(UsageError, match=r'no whole checkpoint in .*epoch_1.pth.*start anew with --overwrite'):
        saving.newest(tmp_path)


def test_install_changes_the_checkpoint_hook_of_a_config_and_dumps_its_import():
    config = Config(dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2))))
    saving.install(config)
    assert config.default_hooks.checkpoint == dict(type='WholeCheckpointHook', interval=2)
    assert 'dmsca_mm.registry' in config.custom_imports.imports
    other = Config(dict(default_hooks=dict(checkpoint=dict(type='SomeoneElsesHook'))))
    saving.install(other)
    assert other.default_hooks.checkpoint.type == 'SomeoneElsesHook'
