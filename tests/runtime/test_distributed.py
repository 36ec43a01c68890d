"""The setup of several processes, with and without CUDA."""
import os

import pytest
import torch
from mmengine.config import Config

from dmsca_mm.errors import ProcessError, UsageError
from dmsca_mm.runtime import distributed


@pytest.fixture
def bare_environment(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT', 'SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'):
        monkeypatch.delenv(name, raising=False)


def config(launcher):
    return Config(dict(launcher=launcher, model=dict(
        backbone=dict(type='ResNet', norm_cfg=dict(type='SyncBN', requires_grad=True)),
        heads=[dict(norm_cfg=dict(type='SyncBN')), dict(norm_cfg=dict(type='GN'))])))


def test_sync_batch_norm_becomes_batch_norm_at_any_depth():
    model = config('none').model
    distributed.replace_sync_batch_norm(model)
    assert model.backbone.norm_cfg == dict(type='BN', requires_grad=True)
    assert [head.norm_cfg.type for head in model.heads] == ['BN', 'GN']


def test_one_process_is_left_alone():
    one = config('none')
    distributed.prepare(one)
    assert one.to_dict() == config('none').to_dict()


@pytest.mark.parametrize(('launcher', 'variable', 'script'), [
    ('pytorch', 'MASTER_ADDR', 'dist_train.sh'), ('slurm', 'SLURM_PROCID', 'slurm_train.sh')])
@pytest.mark.parametrize('has_gpu', [False, True])
def test_launcher_without_its_environment_is_refused(has_gpu, launcher, variable, script, bare_environment,
                                                     monkeypatch):
    monkeypatch.setattr(distributed.torch.cuda, 'is_available', lambda: has_gpu)
    with pytest.raises(UsageError, match=variable) as caught:
        distributed.prepare(config(launcher))
    assert script in str(caught.value)


def test_slurm_variables_become_torch_variables(bare_environment, monkeypatch, tmp_path):
    stand_in = tmp_path / 'scontrol'
    stand_in.write_text('#!/bin/sh\nprintf "node7\\nnode8\\n"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    for name, value in dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_NODELIST='node[7-8]', SLURM_LOCALID='1').items():
        monkeypatch.setenv(name, value)
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')  # restored after the test
        monkeypatch.delenv(name)
    distributed.environment_from_slurm(config('slurm'))
    made = dict(RANK='3', WORLD_SIZE='4', LOCAL_RANK='1', MASTER_ADDR='node7', MASTER_PORT='29500')
    assert {name: os.environ[name] for name in made} == made


@pytest.mark.parametrize(('launcher', 'variable'), [('pytorch', 'LOCAL_RANK'), ('slurm', 'SLURM_LOCALID'),
                                                    ('none', 'LOCAL_RANK')])
def test_first_process_of_each_machine_checks_the_data(launcher, variable, monkeypatch):
    monkeypatch.delenv(variable, raising=False)
    assert distributed.checks_data(launcher)
    monkeypatch.setenv(variable, '0')
    assert distributed.checks_data(launcher)
    monkeypatch.setenv(variable, '3')
    assert distributed.checks_data(launcher) == (launcher == 'none')


def test_with_a_gpu_the_processes_meet_before_the_runner_makes_folders(monkeypatch):
    """Check the calls and their order with a stand-in for NCCL, which needs GPUs."""
    called = []
    monkeypatch.setattr(distributed.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(distributed, 'init_dist', lambda launcher, **options: called.append((launcher, options)))
    monkeypatch.setattr(distributed.dist, 'barrier', lambda: called.append('barrier'))
    for name, value in dict(RANK='0', WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT='29500').items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed.torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(distributed, 'set_multi_processing', lambda **options: called.append(options))
    monkeypatch.setenv('LOCAL_RANK', '0')
    several = config('pytorch')
    several.env_cfg = dict(dist_cfg=dict(backend='nccl', timeout=60), mp_cfg=dict(mp_start_method='fork'))
    distributed.prepare(several)
    assert called == [dict(mp_start_method='fork', distributed=True), ('pytorch', dict(backend='nccl', timeout=60)),
                      'barrier']
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(ProcessError, match=r'process 0 takes GPU 1 of its machine and sees 1: let each process see'):
        distributed.prepare(several)


def test_processes_that_cannot_meet_end_in_one_line_with_a_gpu_too(monkeypatch):
    def taken(launcher, **options):
        raise torch.distributed.DistNetworkError('EADDRINUSE')
    monkeypatch.setattr(distributed.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(distributed.torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(distributed, 'set_multi_processing', lambda **options: None)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(distributed, 'init_dist', taken)
    for name, value in dict(RANK='1', WORLD_SIZE='2', MASTER_ADDR='node7', MASTER_PORT='29500').items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProcessError, match=r'process 1 cannot connect to the others at node7:29500 \(EADDRINUSE\)'):
        distributed.prepare(config('pytorch'))


def test_processes_that_would_resume_from_different_checkpoints_are_refused(monkeypatch, tmp_path):
    """As on machines without a common work directory."""
    def gather(every, own):
        every[:] = [of_first or own, own]
    monkeypatch.setattr(distributed.dist, 'is_initialized', lambda: True)
    monkeypatch.setattr(distributed.dist, 'get_world_size', lambda: 2)
    monkeypatch.setattr(distributed.dist, 'get_rank', lambda: 1)
    monkeypatch.setattr(distributed.dist, 'all_gather_object', gather)
    torch.save(dict(meta=dict(iter=30)), tmp_path / 'epoch_3.pth')
    of_first = None
    for begun in (None, str(tmp_path / 'epoch_3.pth'), 'https://some.where/epoch_3.pth'):
        distributed.check_same_beginning(begun)
    of_first = 'epoch_3.pth (iteration 30)'
    distributed.check_same_beginning(str(tmp_path / 'epoch_3.pth'))
    with pytest.raises(ProcessError, match=r'process 1 would resume from no checkpoint, process 0 from epoch_3.pth'):
        distributed.check_same_beginning(None)
