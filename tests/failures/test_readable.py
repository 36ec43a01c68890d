"""A failure from outside becomes one line with a remedy; an unknown exception stays unchanged."""
import os
import signal

import pytest
import torch
import torch.distributed as dist
from mmengine.registry import HOOKS
from torch.utils.data import DataLoader

from dmsca_mm.errors import ProcessError, UsageError
from dmsca_mm.failures import readable_errors


class Dies:
    """A data set whose worker is killed, as by the system when memory is full."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_an_error_in_a_data_worker_is_no_death():
    """Its message names the files of the traceback, here one in an environment called rapids."""
    with pytest.raises(RuntimeError, match='rapids'), readable_errors():
        raise RuntimeError('Caught RuntimeError in DataLoader worker process 0.\n  File "/envs/rapids/collate.py"')


def test_data_worker_that_dies_is_reported_with_its_signal():
    with pytest.raises(ProcessError, match=r'a data worker ended \(DataLoader worker \(pid.*killed by signal: '
                                           r'Killed\s*\).*num_workers.*--resume'), readable_errors():
        next(iter(DataLoader(Dies(), num_workers=1)))


GLOO = ('[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1. This is typically caused by a '
        'remote worker crashing with gloo.')


def test_lost_connection_names_the_process(monkeypatch):
    monkeypatch.setattr(dist, 'is_initialized', lambda: True)
    monkeypatch.setattr(dist, 'get_rank', lambda: 3)
    with pytest.raises(ProcessError, match=r'^process 3 lost the others \(Connection closed by peer \[127.0.0.1\]:1\)'
                                           r'.*--resume$'), readable_errors():
        raise RuntimeError(GLOO)


def test_full_gpu_memory_names_the_way_out():
    with pytest.raises(ProcessError, match=r'the GPU memory is full.*batch_size.*--amp'), readable_errors():
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')


@pytest.mark.parametrize('error', [
    torch.OutOfMemoryError('CUDA out of memory.'), MemoryError(), RuntimeError('DataLoader worker (pid 3) is killed')])
def test_a_test_is_given_a_way_out_that_it_has(error):
    with pytest.raises(ProcessError, match=r'lower test_dataloader\.') as caught, readable_errors(split='test'):
        raise error
    assert '--' not in str(caught.value)


@pytest.mark.parametrize('error', [RuntimeError('shapes do not match'), RuntimeError(GLOO), ValueError('gloo')])
def test_what_is_not_known_stays_as_it_came(error):
    with pytest.raises(type(error)) as caught, readable_errors():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(('config', 'words'), [
    (dict(type='NoSuchHook'), 'NoSuchHook is not in the'), (dict(type='LoggerHook', intervall=3), "'intervall'"),
    (dict(interval=3), 'type')])
def test_part_of_a_config_that_cannot_be_built_is_named_with_its_place(config, words):
    with pytest.raises(UsageError, match=rf'the config cannot be built: \w+: .*{words}.*line \d+\)'), readable_errors():
        HOOKS.build(config)
