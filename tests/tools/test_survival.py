"""Trainings that are disturbed from outside: nothing hangs, nothing is left behind, no saved file is lost."""
import json
import random
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from commands import DETECTOR, data_options
from processes import finished, kill_all, kill_often, started, wait_for

from dmsca_mm import checkpoint
from dmsca_mm.checkpoint.newest import newest

pytestmark = pytest.mark.slow
KILLS = 20
SOAK = 2000
SHARED_MEMORY = Path('/dev/shm')


@pytest.fixture
def command(repository, digits, tmp_path):
    """The command line of a training in a work directory."""
    def line(work, *options, epochs=500, tool=('train.py',), arguments=(), config=DETECTOR, data=digits):
        first = [sys.executable] if tool[0].endswith('.py') else []
        return [*first, repository / 'tools' / tool[0], repository / config, *tool[1:], '--work-dir', work, *arguments,
                '--cfg-options', *data_options(data, True), f'train_cfg.max_epochs={epochs}',
                'train_cfg.val_interval=1000', 'train_dataloader.batch_size=2', 'default_hooks.logger.interval=1',
                *options]
    return line


@pytest.fixture
def run(tmp_path):
    """Start a command; kill it after the test if it still runs."""
    begun = []

    def start(line, **options):
        environment = dict(PYTHON=sys.executable)
        begun.append(started(line, cwd=tmp_path, environment=environment, **options))
        return begun[-1]
    yield start
    for process in begun:
        kill_all(process)


def test_data_worker_that_dies_ends_the_run_in_one_line(command, run, tmp_path):
    process = run(command(tmp_path / 'work'))
    assert wait_for(lambda: any((tmp_path / 'work').glob('epoch_*.pth')), process)
    worker = psutil.Process(process.pid).children()[0]
    worker.kill()
    code, output = finished(process)
    assert code == 2, output[-2000:]
    assert 'error: a data worker ended (DataLoader worker' in output
    assert 'Traceback' not in output


def abandoned():
    """Return shared memory that no live process uses; tests that run in parallel have their own."""
    files, used = set(SHARED_MEMORY.iterdir()), set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            used |= {part.path for part in [*process.memory_maps(), *process.open_files()]}
    return {path for path in files if str(path) not in used and path.exists()}


def test_killed_training_leaves_no_process_and_no_shared_memory(command, run, tmp_path):
    before = abandoned()
    process = run(command(tmp_path / 'work', tool=('dist_train.sh', 2)))
    assert wait_for(lambda: any((tmp_path / 'work').glob('epoch_*.pth')), process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4, 'two processes and a data worker each'
    process.kill()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert any(abandoned() <= before or time.sleep(1) for _ in range(10))


def test_full_disk_is_one_line_and_the_last_checkpoint_stays_whole(command, run, tmp_path):
    work = tmp_path / 'work'
    code, output = finished(run(command(work, epochs=1)))
    assert code == 0, output[-2000:]
    size = (work / 'epoch_1.pth').stat().st_size

    def quota():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    code, output = finished(run(command(work, epochs=2, arguments=['--resume']), preexec_fn=quota))
    assert code == 2, output[-2000:]
    assert 'epoch_2.pth could not be written' in output.splitlines()[-1]
    assert newest(work) == (str(work / 'epoch_1.pth'), [])
    assert not list(work.glob('*.part'))
    code, output = finished(run(command(work, epochs=2, arguments=['--resume'])))
    assert code == 0, output[-2000:]


def test_bad_image_ends_training_by_name_or_is_left_out(command, run, digits, tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    listed = json.loads((digits / 'annotations/instances_training.json').read_text())['images']
    for place, image in enumerate(listed):
        content = (digits / 'images/training' / image['file_name']).read_bytes()
        (folder / image['file_name']).write_bytes(content[:-20] if place == 2 else content)
    option = f'train_dataloader.dataset.data_prefix.img={folder}/'
    code, output = finished(run(command(tmp_path / 'a', option, epochs=1)))
    assert code == 2, output[-2000:]
    last = output.splitlines()[-1]
    assert last.startswith('error: image ')
    assert listed[2]['file_name'] in last
    assert last.endswith('is cut short')
    code, output = finished(run(command(tmp_path / 'b', option, epochs=1, arguments=['--skip-bad-images', '--track',
                                                                                  'tensorboard'])))
    assert code == 0, output[-2000:]
    assert output.splitlines()[-1] == (
        f'trained: logs and checkpoints are in {tmp_path}/b; curves: tensorboard --logdir {tmp_path}/b; '
        f'1 bad image(s) were left out, see {tmp_path}/b/skipped_images.txt')


@pytest.fixture(scope='session')
def small_digits(tmp_path_factory):
    """Forty-eight small images."""
    from dmsca_mm.datasets import digits
    root = tmp_path_factory.mktemp('small') / 'digits'
    digits.make_digits(root, digits.DigitsParameters(training=48, validation=2, size=96))
    return root


@pytest.mark.soak
def test_detector_killed_twenty_times_ends_bit_for_bit_as_if_never(command, run, small_digits, tmp_path):
    seeded = random.Random(0)
    moments = [seeded.choice(['write', seeded.uniform(0, 1)]) for _ in range(KILLS)]
    options = ['default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=1',
               'default_hooks.checkpoint.max_keep_ckpts=2', 'train_dataloader.dataset.pipeline.2.scale=(96,96)']
    lines = [command(tmp_path / name, *options, epochs=2, data=small_digits, arguments=['--resume'])
             for name in ('uninterrupted', 'killed')]
    code, output = finished(run(lines[0]))
    assert code == 0, output[-2000:]
    half, _ = kill_often(lines[1], tmp_path / 'killed', moments)
    print(f'{KILLS} kills, {half} of them met a checkpoint half written')
    assert half >= 3
    uninterrupted, killed = (checkpoint.read(tmp_path / name / 'iter_48.pth') for name in ('uninterrupted', 'killed'))
    for part in ('state_dict', 'optimizer'):
        assert different(uninterrupted[part], killed[part]) == []


def different(one, other, path=''):
    """Return the paths at which two nested containers differ."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [found for key in one for found in different(one[key], other[key], f'{path}/{key}')]
    if isinstance(one, (list, tuple)):
        return [found for place, pair in enumerate(zip(one, other, strict=True))
                for found in different(*pair, f'{path}/{place}')]
    same = torch.equal(one, other) if torch.is_tensor(one) else one == other
    return [] if same else [path]


@pytest.mark.soak
def test_two_thousand_iterations_keep_their_memory(command, run, small_digits, tmp_path):
    work = tmp_path / 'work'
    process = run(command(work, 'train_dataloader.num_workers=2', 'train_dataloader.batch_size=1',
                          'train_dataloader.dataset.pipeline.2.scale=(64,64)', 'default_hooks.checkpoint.interval=1',
                          'default_hooks.checkpoint.max_keep_ckpts=1', 'default_hooks.logger.interval=10',
                          epochs=-(-SOAK // 48), data=small_digits,
                          config='configs/digits/retinanet_r50_dmsca_digits.py'),
                  stdout=(tmp_path / 'output').open('w'))
    samples, log = [], None
    end = time.monotonic() + 1200
    while process.poll() is None:
        assert time.monotonic() < end, 'twenty minutes are over'
        time.sleep(1)
        log = log or next(work.glob('*/vis_data/scalars.json'), None)
        lines = log.read_text().split('\n')[:-1] if log else []  # the last line may be incomplete
        steps = [json.loads(line).get('step', 0) for line in lines[-1:]]
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            # The proportional set size: memory that forked workers share with their process counts only once.
            memory = sum(one.memory_full_info().pss for one in family)
        except psutil.NoSuchProcess:
            continue
        if steps and len(family) == 3:
            samples.append((steps[0], memory))
    assert process.returncode == 0
    samples = np.array([sample for sample in samples if sample[0] > SOAK // 2], dtype=float)  # caches are full by then
    slope, start = np.polyfit(samples[:, 0], samples[:, 1], 1)
    np.savetxt(tmp_path / 'memory.csv', samples, fmt='%d', delimiter=',')
    print(f'memory of the process and its two data workers: {start / 1e6:.0f} MB, {slope / 1e3:+.2f} kB an iteration')
    assert samples[-1, 0] >= SOAK - 50
    # A day at ten iterations per second has 864,000 of them: at this slope they take 4.3 GB.
    assert slope < 5e3
