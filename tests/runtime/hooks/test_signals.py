"""An interrupted run saves, names the checkpoint, and ends after resuming as if never interrupted."""
import os
import signal
import time

import noisy
import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from processes import finished, started, wait_for

from dmsca_mm import checkpoint
from dmsca_mm.errors import Stopped
from dmsca_mm.runtime.hooks import signals
from dmsca_mm.runtime.hooks.signals import SaveOnSignal

SLOW = 'pause=0.05'


def stopped(work_dir, number, send=os.kill, *options):
    """Start a noisy training, send it a signal while it runs, and wait."""
    process = started([*noisy.COMMAND, work_dir, SLOW, *options])
    assert wait_for(lambda: any(work_dir.glob('iter_15.pth')), process)
    send(process.pid, number)
    return finished(process)


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp('uninterrupted') / 'run'
    assert finished(started([*noisy.COMMAND, directory]))[0] == 0
    return noisy.outcome(directory)


@pytest.mark.slow
@pytest.mark.parametrize(('number', 'send', 'options'), [
    (signal.SIGTERM, os.kill, ()),
    pytest.param(signal.SIGINT, os.kill, ('loop="SameIterLoop"',), marks=pytest.mark.soak),
    # What a terminal and Slurm do: the data workers get the signal too.
    pytest.param(signal.SIGINT, os.killpg, ('workers=2',), marks=pytest.mark.soak),
    (signal.SIGTERM, os.killpg, ('workers=1', 'validate=True'))])
def test_signal_saves_and_the_run_goes_on_to_the_same_end(number, send, options, uninterrupted, tmp_path):
    code, output = stopped(tmp_path, number, send, *options)
    assert code == 128 + number, output
    assert 'Traceback' not in output
    assert f'{number.name}: saving after this iteration' in output
    last = output.splitlines()[-1]
    assert last.startswith('stopped after iteration ')
    assert last.endswith(f'saved in {tmp_path}/interrupted.pth: continue with --resume')
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'interrupted.pth')
    code, output = finished(started([*noisy.COMMAND, tmp_path, *options]))
    assert code == 0, output
    assert not (tmp_path / 'interrupted.pth').exists(), 'a regular checkpoint has taken its place'
    if not any('Iter' in option for option in options):
        ended = noisy.outcome(tmp_path)
        assert [name for name in uninterrupted if not torch.equal(uninterrupted[name], ended[name])] == []


def test_second_signal_counts_once_the_first_cannot_be_its_double(monkeypatch):
    hook, clock, raised = SaveOnSignal(), [100.0], []
    monkeypatch.setattr(time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(signal, 'signal', lambda number, handler: raised.append((number, handler)))
    monkeypatch.setattr(signal, 'raise_signal', lambda number: raised.append(number))
    for clock[0] in (100.0, 100.1, 99.9 + signals.SAME):
        hook._receive(signal.SIGINT, None)
    assert (hook.received, raised) == (signal.SIGINT, [])
    clock[0] = 100.1 + signals.SAME
    hook._receive(signal.SIGINT, None)
    assert raised == [(signal.SIGINT, signal.SIG_DFL), signal.SIGINT]


def test_signal_in_validation_saves_the_position_after_the_last_iteration(tmp_path):
    run = noisy.runner(tmp_path)
    run.train()
    hook = next(hook for hook in run.hooks if isinstance(hook, SaveOnSignal))
    hook.after_val_iter(run, 0)
    hook.received = signal.SIGTERM
    with pytest.raises(Stopped, match='stopped after iteration 48'):
        hook.after_val_iter(run, 0)
    meta = checkpoint.read(tmp_path / 'interrupted.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (4, 48)


def test_other_processes_stop_in_validation_once_the_first_has_saved(tmp_path, monkeypatch):
    """It may wait for them in the metric, with all its images done."""
    run = noisy.runner(tmp_path)
    run.train()
    hook = next(hook for hook in run.hooks if isinstance(hook, SaveOnSignal))
    monkeypatch.setenv('RANK', '1')
    (tmp_path / 'interrupted.pth').touch()
    os.utime(tmp_path / 'interrupted.pth', (1, 1))  # of an earlier stop
    hook.before_val_epoch(run)
    hook._receive(signal.SIGTERM, None)
    hook.after_val_iter(run, 0)
    os.utime(tmp_path / 'interrupted.pth', (2, 2))
    with pytest.raises(Stopped):
        hook.after_val_iter(run, 1)


def test_signal_in_validation_saves_the_weights_and_not_their_average_that_is_validated(tmp_path):
    run = noisy.runner(tmp_path)
    run.train()
    before = noisy.outcome(tmp_path)
    average = next(hook for hook in run.hooks if isinstance(hook, EMAHook))
    hook = next(hook for hook in run.hooks if isinstance(hook, SaveOnSignal))
    hook.received = signal.SIGTERM
    for each in (average, hook):
        each.before_val_epoch(run)
    with pytest.raises(Stopped):
        hook.after_val_iter(run, 0)
    content = checkpoint.read(tmp_path / 'interrupted.pth')
    for kind in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, before[f'{kind}/{name}']) for name, value in content[kind].items())


@pytest.mark.parametrize('loop', ['SameEpochLoop', 'SameIterLoop'])
@pytest.mark.parametrize('reached', [24, 30, 48])
def test_a_validation_that_was_due_when_the_signal_came_is_made_up_for(reached, loop, tmp_path):
    class Watch(Hook):
        priority = 'VERY_LOW'  # before SaveOnSignal

        def after_train_iter(self, run, **given):
            if run.iter + 1 == reached:
                stopping(run).received = signal.SIGTERM

        def after_val_epoch(self, run, metrics=None):
            validated.append(run.iter)

    def stopping(run):
        return next(hook for hook in run.hooks if isinstance(hook, SaveOnSignal))

    def begin(resume):
        run = noisy.runner(tmp_path, resume, loop=loop, validate=True)
        run._train_loop['val_interval'] = 1 if loop == 'SameEpochLoop' else noisy.PER_EPOCH
        run.register_hook(Watch())
        return run

    validated = []
    with pytest.raises(Stopped, match=f'stopped after iteration {reached},'):
        begin(None).train()
    assert validated == list(range(12, reached, 12))
    begin(str(tmp_path / 'interrupted.pth')).train()
    assert validated == [12, 24, 36, 48]


def test_stop_waits_until_no_gradient_is_half_accumulated(tmp_path):
    run = noisy.runner(tmp_path, accumulate=4)
    hook = next(hook for hook in run.hooks if isinstance(hook, SaveOnSignal))
    hook.received = signal.SIGTERM
    with pytest.raises(Stopped, match='stopped after iteration 4,'):
        run.train()


def test_handlers_of_before_are_back_after_a_training(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    noisy.runner(tmp_path).train()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
