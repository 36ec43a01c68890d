"""Settings that contradict each other or the machine are reported before a run."""
import pytest
import torch
from mmengine.config import Config

from dmsca_mm.compat import requirements
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.settings import advice, check_settings, switch_on_amp


@pytest.fixture
def gpu(monkeypatch):
    def have(answer):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: answer)
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG', raising=False)
    return have


def test_unknown_optimizer_is_named():
    check_settings(Config(dict(optim_wrapper=dict(optimizer=dict(type='AdamW')))))
    with pytest.raises(UsageError, match="optimizer 'AdamX' is registered nowhere"):
        check_settings(Config(dict(optim_wrapper=dict(optimizer=dict(type='AdamX')))))


def test_optimizer_of_a_library_is_found_in_its_scope():
    requirements.require('mmpretrain')
    check_settings(Config(dict(default_scope='mmpretrain', optim_wrapper=dict(optimizer=dict(type='Lamb')))))


def test_mixed_precision_needs_a_gpu(gpu):
    config = Config(dict(optim_wrapper=dict(type='AmpOptimWrapper')))
    gpu(False)
    with pytest.raises(UsageError, match=r'AmpOptimWrapper \(--amp\) needs a GPU'):
        check_settings(config)
    gpu(True)
    check_settings(config)


def test_deterministic_on_a_gpu_needs_cublas_workspace(gpu, monkeypatch):
    config = Config(dict(randomness=dict(deterministic=True)))
    gpu(False)
    check_settings(config)
    gpu(True)
    with pytest.raises(UsageError, match='CUBLAS_WORKSPACE_CONFIG=:4096:8'):
        check_settings(config)
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    check_settings(config)


@pytest.mark.parametrize(('processes', 'size', 'enabled', 'expected'), [
    (8, 2, False, False), (2, 2, False, True), (2, 2, True, False), (1, 16, False, False)])
def test_learning_rate_for_another_batch_is_a_hint(processes, size, enabled, expected):
    scale = dict(enable=enabled, base_batch_size=16)
    config = Config(dict(auto_scale_lr=scale, train_dataloader=dict(batch_size=size)))
    found = advice(config, processes)
    assert bool(found) == expected
    assert all('meant for 16 images a step, and this run has 4 (2 process(es) of 2)' in line for line in found)
    assert all('--auto-scale-lr' in line for line in found)


def test_accumulated_batches_count_as_one_step():
    config = Config(dict(auto_scale_lr=dict(base_batch_size=16), train_dataloader=dict(batch_size=4),
                         optim_wrapper=dict(accumulative_counts=4)))
    assert advice(config, 1) == []
    line, = advice(config, 2)
    assert 'this run has 32 (2 process(es) of 4 and 4 batches): set optim_wrapper.optimizer.lr yourself' in line


def test_benchmark_beside_deterministic_is_a_hint():
    found = advice(Config(dict(randomness=dict(deterministic=True), env_cfg=dict(cudnn_benchmark=True))), 1)
    assert len(found) == 1
    assert 'cudnn_benchmark' in found[0]


def test_amp_takes_the_place_of_the_plain_wrapper_alone():
    config = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    switch_on_amp(config)
    assert config.optim_wrapper == dict(type='AmpOptimWrapper', loss_scale='dynamic')
    kept = Config(dict(optim_wrapper=dict(type='AmpOptimWrapper', loss_scale=512.0)))
    switch_on_amp(kept)
    assert kept.optim_wrapper.loss_scale == 512.0
    with pytest.raises(UsageError, match='the config has ApexOptimWrapper'):
        switch_on_amp(Config(dict(optim_wrapper=dict(type='ApexOptimWrapper'))))
