"""Several nodes: two launchers on this machine's loopback, and Slurm with a stand-in."""
import os
import signal
import socket
import sys
import time

import psutil
import pytest
from commands import DETECTOR, assert_one_line, data_options
from processes import finished, kill_all, started, wait_for

LIMIT = 60
"""Seconds within which the remaining nodes must end."""


@pytest.fixture
def nodes(repository, digits, tmp_path):
    """Start one of two nodes that train a detector together in one work directory; kill them after the test."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    work, begun = tmp_path / 'work', []

    def start(rank, epochs, *arguments, timeout=1800):
        environment = dict(NNODES='2', NODE_RANK=str(rank), MASTER_ADDR='127.0.0.1', PORT=str(port),
                           PYTHON=sys.executable)
        command = [repository / 'tools/dist_train.sh', repository / DETECTOR, 1, '--work-dir', work, *arguments,
                   '--cfg-options', *data_options(digits, True), f'train_cfg.max_epochs={epochs}',
                   f'env_cfg.dist_cfg.timeout={timeout}', 'train_cfg.val_interval=1000',
                   'train_dataloader.batch_size=2', 'default_hooks.logger.interval=1',
                   'default_hooks.checkpoint.max_keep_ckpts=2']
        begun.append(started(command, environment=environment, cwd=tmp_path))
        return begun[-1]
    yield work, start
    for process in begun:
        kill_all(process)


def ends_soon_and_says_why(node):
    alone = time.monotonic()
    code, output = finished(node)
    assert time.monotonic() - alone < LIMIT
    assert code != 0
    assert 'error: process 0 lost the others (' in output
    assert 'Traceback' not in output


def test_node_that_dies_ends_the_other_and_both_go_on(nodes):
    work, start = nodes
    first, second = start(0, 500), start(1, 500)
    assert wait_for(lambda: any(work.glob('epoch_*.pth')), first)
    kill_all(second)
    ends_soon_and_says_why(first)
    reached = int((work / 'last_checkpoint').read_text().rsplit('_', 1)[1].removesuffix('.pth'))

    again = [start(rank, reached + 1, '--resume') for rank in (0, 1)]
    outputs = [finished(process) for process in again]
    assert [code for code, _ in outputs] == [0, 0], outputs
    assert f'resumed epoch: {reached}' in outputs[0][1]
    assert (work / f'epoch_{reached + 1}.pth').exists()
    assert outputs[0][1].count('trained: ') == 1
    assert 'trained: ' not in outputs[1][1], 'one process speaks for both nodes'


def test_second_node_names_the_data_that_its_own_disk_lacks(call_here, monkeypatch, tmp_path):
    """The first process of each machine checks its disk; the first process of the job does not know that disk."""
    for name, value in dict(RANK='4', WORLD_SIZE='8', LOCAL_RANK='0').items():
        monkeypatch.setenv(name, value)
    ended = call_here('train.py', DETECTOR, '--launcher', 'pytorch', '--cfg-options',
                      *data_options(tmp_path / 'lost', True))
    assert_one_line(ended, tmp_path / 'lost', 'does not exist')


@pytest.mark.soak
def test_node_that_answers_no_more_ends_the_other_in_time(nodes):
    """Like a machine without power: its connections stay open, but nothing answers."""
    work, start = nodes
    first, second = start(0, 500, timeout=20), start(1, 500, timeout=20)
    assert wait_for(lambda: any(work.glob('epoch_*.pth')), first)
    for process in [psutil.Process(second.pid), *psutil.Process(second.pid).children(recursive=True)]:
        process.suspend()
    ends_soon_and_says_why(first)


@pytest.mark.parametrize('number', [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.soak)])
def test_node_whose_launcher_is_told_to_end_has_all_save_and_end(number, nodes):
    """SIGTERM is a preemption; after SIGKILL the launcher's process must not continue on its own."""
    work, start = nodes
    first, second = start(0, 500), start(1, 500)
    assert wait_for(lambda: any(work.glob('epoch_*.pth')), first)
    os.kill(second.pid, number)
    codes = [finished(process) for process in (first, second)]
    assert (work / 'interrupted.pth').exists(), codes
    assert (work / 'last_checkpoint').read_text() == str(work / 'interrupted.pth')
    assert all(code != 0 for code, _ in codes)
    assert 'stopped after iteration' in codes[0][1]
    assert 'Traceback' not in codes[0][1]


STAND_IN = '''"""What srun does for one node: start the tasks, end with the worst of their codes."""
import os, subprocess, sys
tasks = int(next(word for word in sys.argv if word.startswith('--ntasks=')).split('=')[1])
command = sys.argv[sys.argv.index({python!r}):]
running = [subprocess.Popen(command, env=dict(
    os.environ, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank), SLURM_NTASKS=str(tasks), SLURM_NODELIST='localhost',
    SLURM_JOB_ID='1')) for rank in range(tasks)]
sys.exit(max(process.wait() for process in running))
'''


def test_slurm_tasks_train_together(call, digits, tmp_path):
    tools = tmp_path / 'bin'
    tools.mkdir()
    (tools / 'srun.py').write_text(STAND_IN.format(python=sys.executable))
    (tools / 'srun').write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tools}/srun.py" "$@"\n')  # a path with spaces
    (tools / 'scontrol').write_text('#!/bin/sh\necho 127.0.0.1\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    work = tmp_path / 'work'
    done = call('slurm_train.sh', 'partition', 'job', DETECTOR, '--work-dir', work, '--cfg-options',
                *data_options(digits, True), 'train_cfg.max_epochs=1', 'train_cfg.val_interval=10',
                'train_dataloader.batch_size=2', 'default_hooks.logger.interval=1', GPUS='0', TASKS='2',
                MASTER_PORT=str(port), PATH=f'{tools}:{os.environ["PATH"]}')
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('trained: ') == 1
    assert '[2/2]' in done.stdout + done.stderr, 'eight images in batches of two over two tasks'
    assert (work / 'epoch_1.pth').exists()
