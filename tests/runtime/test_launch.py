"""The number of processes and their rendezvous address."""
import socket

import pytest
import torch
from torch.distributed.elastic.rendezvous import RendezvousTimeoutError

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import launch


@pytest.fixture(autouse=True)
def no_node_variables(monkeypatch):
    for name in ('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize('text', ['0', '-1', 'two', '1.5', '', '²'])
def test_number_of_processes_must_be_positive(text):
    with pytest.raises(UsageError, match='N must be a positive number') as caught:
        launch.positive_number('N', text)
    assert repr(text) in str(caught.value)


def test_no_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(UsageError, match=r'3 processes .* 2 GPU'):
        launch.launch('train.py', 3, [])


def test_processes_share_the_cores_that_the_job_may_use(monkeypatch):
    """A job of a cluster may use some of the machine's."""
    monkeypatch.setattr(launch.os, 'sched_getaffinity', lambda process: {0, 1, 8, 9})
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(launch, 'run', lambda options: None)
    monkeypatch.setenv('OMP_NUM_THREADS', '')  # restored after the test
    monkeypatch.delenv('OMP_NUM_THREADS')
    launch.launch('train.py', 2, [])
    assert launch.os.environ['OMP_NUM_THREADS'] == '2'


def test_a_further_node_without_the_address_of_the_first_is_refused(monkeypatch):
    monkeypatch.setenv('NNODES', '2')
    monkeypatch.setenv('NODE_RANK', '1')
    with pytest.raises(UsageError, match='NODE_RANK=1 needs MASTER_ADDR: give the address'):
        launch.rendezvous()


@pytest.mark.parametrize('error', [torch.distributed.DistNetworkError('The client socket\nhas timed out'),
                                   RendezvousTimeoutError('nobody came')])
def test_a_first_node_that_cannot_be_reached_is_one_line(error, monkeypatch):
    def unreachable(options):
        raise error
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(launch, 'run', unreachable)
    with pytest.raises(UsageError, match=r'the nodes cannot meet \((The client socket has timed out|nobody came)'):
        launch.launch('train.py', 1, [])


def test_one_node_finds_a_free_port_by_itself():
    assert launch.rendezvous() == ['--standalone']


def test_several_nodes_meet_where_the_environment_says(monkeypatch):
    for name, value in dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234').items():
        monkeypatch.setenv(name, value)
    assert launch.rendezvous() == ['--nnodes=2', '--node-rank=1', '--master-addr=10.0.0.1', '--master-port=1234']


def test_port_that_was_given_and_is_taken_is_refused(monkeypatch):
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        monkeypatch.setenv('PORT', str(taken.getsockname()[1]))
        with pytest.raises(UsageError, match='is taken'):
            launch.rendezvous()


@pytest.mark.parametrize(('name', 'value'), [('PORT', '70000'), ('NNODES', '0'), ('NNODES', 'x'), ('NODE_RANK', '-1'),
                                             ('NODE_RANK', '2')])
def test_variables_out_of_range_are_named(name, value, monkeypatch):
    monkeypatch.setenv('NNODES', '2')
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        launch.rendezvous()


def test_failed_process_is_reported_in_one_line(tmp_path, capfd):
    script = tmp_path / 'fails.py'
    script.write_text('import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n')
    with pytest.raises(SystemExit) as ended:
        launch.launch(str(script), 1, [])
    assert ended.value.code == 1
    assert capfd.readouterr().err == 'error: process 0 ended with signal 9; its own output is above\n'
