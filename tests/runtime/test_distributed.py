"""What several processes need where there is no CUDA."""
import os

import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
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
def test_launcher_without_its_environment_is_refused(launcher, variable, script, bare_environment):
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
