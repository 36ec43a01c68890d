"""A run that is resumed midway ends bit-identical to an uninterrupted one."""
import random
import shutil

import noisy
import pytest
import torch
from mmengine.config import Config
from processes import finished, kill_often, started

from dmsca_mm.runtime.hooks import checkpoint
from dmsca_mm.runtime.resume import loops

EVERY = 5


@pytest.fixture(scope='module', params=['SameEpochLoop', 'SameIterLoop'])
def uninterrupted(request, tmp_path_factory):
    """An uninterrupted run that keeps every checkpoint."""
    directory = tmp_path_factory.mktemp('uninterrupted')
    run = noisy.runner(directory, loop=request.param)
    next(hook for hook in run.hooks if isinstance(hook, checkpoint.CheckpointHook)).max_keep_ckpts = -1
    run.train()
    return request.param, directory


def same(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def test_hooks_see_the_batch_size(uninterrupted, tmp_path):
    loop, _ = uninterrupted
    assert noisy.runner(tmp_path, loop=loop).build_train_loop(dict(type=loop, **(
        dict(max_epochs=1) if 'Epoch' in loop else dict(max_iters=1)))).dataloader.batch_size == noisy.BATCH


# An epoch has twelve iterations. 5 is in the first epoch, 20 and 25 are in later ones, 45 is in the last.
@pytest.mark.slow
@pytest.mark.parametrize(('iteration', 'workers'), [(5, 0), (20, 0), (25, 2), (45, 0)])
def test_resumed_run_equals_the_uninterrupted_one(uninterrupted, iteration, workers, tmp_path):
    loop, directory = uninterrupted
    noisy.runner(tmp_path, str(directory / f'iter_{iteration}.pth'), loop, workers).train()
    assert same(noisy.outcome(tmp_path), noisy.outcome(directory)) == []


def test_other_seed_gives_another_run(uninterrupted, tmp_path):
    loop, directory = uninterrupted
    noisy.runner(tmp_path, loop=loop, seed=4).train()
    assert 'state_dict/layers.0.weight' in same(noisy.outcome(tmp_path), noisy.outcome(directory))


@pytest.mark.slow
def test_a_librarys_own_tool_resumes_from_the_newest_checkpoint_the_same(uninterrupted, tmp_path):
    """mmdet's and mmseg's ``--resume`` takes no path: mmengine uses the newest checkpoint of the work directory."""
    loop, directory = uninterrupted
    shutil.copy(directory / 'iter_20.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_20.pth'))
    noisy.runner(tmp_path, True, loop).train()
    assert same(noisy.outcome(tmp_path), noisy.outcome(directory)) == []


def test_save_on_the_last_iteration_of_an_epoch_resumes_into_the_next(tmp_path):
    noisy.runner(tmp_path / 'uninterrupted', interval=noisy.PER_EPOCH).train()
    path = tmp_path / 'uninterrupted' / f'iter_{noisy.PER_EPOCH * 3}.pth'
    noisy.runner(tmp_path / 'resumed', str(path)).train()
    assert same(noisy.outcome(tmp_path / 'resumed'), noisy.outcome(tmp_path / 'uninterrupted')) == []


@pytest.mark.soak
def test_killed_again_and_again_ends_the_same(tmp_path):
    seeded = random.Random(0)
    moments = ['write', *(seeded.uniform(0, 0.3) for _ in range(3))]
    assert finished(started([*noisy.COMMAND, tmp_path / 'uninterrupted', 'padding=8']))[0] == 0
    command = [*noisy.COMMAND, tmp_path / 'killed', 'pause=0.05', 'padding=8']
    half, _ = kill_often(command, tmp_path / 'killed', moments)
    assert half >= 1, 'no kill met a checkpoint half written'
    assert same(noisy.outcome(tmp_path / 'killed'), noisy.outcome(tmp_path / 'uninterrupted')) == []


def test_other_number_of_batches_goes_on_with_the_beginning_of_the_epoch(tmp_path, monkeypatch):
    noisy.runner(tmp_path / 'uninterrupted').train()
    monkeypatch.setattr(noisy, 'SIZE', 32)
    resumed = noisy.runner(tmp_path / 'resumed', str(tmp_path / 'uninterrupted' / 'iter_45.pth'))
    warnings = []
    monkeypatch.setattr(resumed.logger, 'warning', warnings.append)
    resumed.train()
    assert any('had 12 batches an epoch, this one has 16: it resumes at the beginning of epoch 4' in text
               for text in map(str, warnings))
    assert resumed.iter == 45 + 16


@pytest.mark.parametrize(('batch', 'size'), [(8, 24), (2, 32)])
def test_a_run_whose_batches_have_changed_is_resumed_like_any_other(batch, size, tmp_path, monkeypatch):
    """With 12 batches an epoch, then 3 or 16; accumulated gradients need the number of iterations that are left."""
    def trained(name, resume=None):
        run = noisy.runner(tmp_path / name, resume and str(tmp_path / resume), interval=1, accumulate=2)
        next(hook for hook in run.hooks if isinstance(hook, checkpoint.CheckpointHook)).max_keep_ckpts = -1
        run.train()
        return run.iter

    trained('first')
    monkeypatch.setattr(noisy, 'BATCH', batch)
    monkeypatch.setattr(noisy, 'SIZE', size)
    start, per_epoch = 2 * noisy.PER_EPOCH - 1, size // batch  # in the second of four epochs, which begins anew
    assert trained('second', f'first/iter_{start}.pth') == start + 3 * per_epoch
    for done in (per_epoch, per_epoch + 2):
        assert trained(f'third_{done}', f'second/iter_{start + done}.pth') == start + 3 * per_epoch


@pytest.mark.parametrize(('given', 'expected'), [
    (dict(type='EpochBasedTrainLoop', max_epochs=2), 'SameEpochLoop'),
    (dict(by_epoch=True, max_epochs=2), 'SameEpochLoop'),
    (dict(by_epoch=False, max_iters=2), 'SameIterLoop'),
    (dict(type='IterBasedTrainLoop', max_iters=2), 'SameIterLoop'),
    (dict(type='mmengine.EpochBasedTrainLoop', max_epochs=2), 'SameEpochLoop'),
    (dict(type='SomeoneElsesLoop'), 'SomeoneElsesLoop')])
def test_install_replaces_mmengines_loops_alone(given, expected):
    config = Config(dict(train_cfg=given))
    loops.install(config)
    assert config.train_cfg.type == expected
    assert 'by_epoch' not in config.train_cfg
    assert ('custom_imports' in config) == expected.startswith('Same')
