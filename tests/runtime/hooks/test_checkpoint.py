"""An old checkpoint is removed after the new one is written, and a failed write removes none."""
from pathlib import Path

import pytest
import toy
from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend

from dmsca_mm.checkpoint import read, writing
from dmsca_mm.checkpoint.newest import newest
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.hooks import checkpoint


@pytest.fixture(autouse=True)
def backend():
    """Use our backend for atomic writes during the test, and mmengine's afterwards."""
    checkpoint.install(Config())
    yield
    register_backend('local', LocalBackend, force=True, prefixes='')


def test_old_checkpoint_goes_after_the_new_one_has_come(tmp_path, monkeypatch):
    training = toy.runner(tmp_path, max_keep_ckpts=1)
    seen, write = [], writing.write_atomically

    def watched(content, path):
        seen.append((Path(path).name, sorted(p.name for p in tmp_path.glob('*.pth'))))
        write(content, path)

    monkeypatch.setattr(writing, 'write_atomically', watched)
    training.train()
    assert seen == [('epoch_1.pth', []), ('last_checkpoint', ['epoch_1.pth']),
                    ('epoch_2.pth', ['epoch_1.pth']), ('last_checkpoint', ['epoch_1.pth', 'epoch_2.pth']),
                    ('epoch_3.pth', ['epoch_2.pth']), ('last_checkpoint', ['epoch_2.pth', 'epoch_3.pth'])]
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


def test_a_resumed_run_still_knows_the_checkpoints_to_drop(tmp_path):
    toy.runner(tmp_path, max_keep_ckpts=2).train()
    resumed = toy.runner(tmp_path, epochs=5, max_keep_ckpts=2)
    resumed._load_from, resumed._resume = str(tmp_path / 'epoch_3.pth'), True
    resumed.train()
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['epoch_4.pth', 'epoch_5.pth']


def test_old_best_goes_after_the_new_one_has_come(tmp_path, monkeypatch):
    training = toy.runner(tmp_path, epochs=1, save_best='score', rule='greater')
    training.train()
    hook = next(hook for hook in training.hooks if isinstance(hook, checkpoint.WholeCheckpointHook))
    hook._save_best_checkpoint(training, dict(score=0.1))
    old, write = Path(hook.best_ckpt_path), writing.write_atomically

    def fails(content, path):
        raise UsageError('disk full')

    training.train_loop._epoch += 1
    monkeypatch.setattr(writing, 'write_atomically', fails)
    with pytest.raises(UsageError, match='disk full'):
        hook._save_best_checkpoint(training, dict(score=0.2))
    assert old.exists()
    monkeypatch.setattr(writing, 'write_atomically', write)
    hook.best_ckpt_path = str(old)
    hook._save_best_checkpoint(training, dict(score=0.3))
    assert [path.name for path in tmp_path.glob('best_*')] == ['best_score_epoch_2.pth']


def test_a_best_checkpoint_of_another_run_stays(tmp_path):
    """A resumed checkpoint names the best one of the run that it is from."""
    training = toy.runner(tmp_path / 'work', epochs=1, save_best='score', rule='greater')
    training.train()
    hook = next(hook for hook in training.hooks if isinstance(hook, checkpoint.WholeCheckpointHook))
    other = tmp_path / 'best_score_epoch_1.pth'
    other.touch()
    hook.best_ckpt_path = str(other)
    hook._save_best_checkpoint(training, dict(score=0.2))
    assert other.exists()


def test_a_published_checkpoint_has_its_own_hash_and_these_keys(tmp_path):
    toy.runner(tmp_path, epochs=1, published_keys=['state_dict']).train()
    published, = tmp_path.glob('epoch_1-*.pth')
    assert list(read(published)) == ['state_dict']


def test_failed_write_ends_the_run_and_keeps_what_was_there(tmp_path, monkeypatch):
    training, write = toy.runner(tmp_path, max_keep_ckpts=1), writing.write_atomically

    def fails(content, path):
        if Path(path).name == 'epoch_2.pth':
            raise UsageError('disk full')
        write(content, path)

    monkeypatch.setattr(writing, 'write_atomically', fails)
    with pytest.raises(UsageError, match='disk full'):
        training.train()
    assert newest(tmp_path) == (str(tmp_path / 'epoch_1.pth'), [])


def test_install_changes_the_checkpoint_hook_of_a_config_and_dumps_its_import():
    config = Config(dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2))))
    checkpoint.install(config)
    assert config.default_hooks.checkpoint == dict(type='WholeCheckpointHook', interval=2)
    assert 'dmsca_mm.registry' in config.custom_imports.imports
    other = Config(dict(default_hooks=dict(checkpoint=dict(type='SomeoneElsesHook'))))
    checkpoint.install(other)
    assert other.default_hooks.checkpoint.type == 'SomeoneElsesHook'
