"""Resuming with another type of optimizer or schedule, or with other parameter groups, is refused before the run."""
import pytest
import torch
from mmengine.config import Config
from torch import nn

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.build import build_optimizer, build_schedules
from dmsca_mm.preflight.training_state import check_training_state

SGD = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1)
STEPS = dict(type='MultiStepLR', milestones=[3])


def settings(optimizer=SGD, schedule=STEPS, **groups):
    return Config(dict(optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer, **groups), param_scheduler=schedule,
                       train_cfg=dict(max_epochs=4)))


def model(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of a training with SGD after one step."""
    net, config = model(), settings()
    wrapper = build_optimizer(config, net)
    wrapper.update_params(net(torch.randn(4, 2)).sum())
    schedules = [one.state_dict() for one in build_schedules(config, wrapper)]
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=net.state_dict(), optimizer=wrapper.state_dict(), param_schedulers=schedules), path)
    return str(path)


def test_same_training_goes_on(saved):
    check_training_state(saved, settings(), model())
    check_training_state(saved, settings(dict(SGD, lr=0.5), dict(STEPS, milestones=[1, 2])), model())


@pytest.mark.parametrize(('config', 'width', 'words'), [
    (settings(dict(type='AdamW', lr=0.1)), 3, r'optim_wrapper\.optimizer, AdamW: its state has no .*betas'),
    (settings(paramwise_cfg=dict(norm_decay_mult=0)), 3, 'other parameters or parameter groups in optim_wrapper'),
    (settings(schedule=dict(type='CosineAnnealingLR', T_max=4)), 3, r'param_scheduler\.0, CosineAnnealingLR: .*T_max'),
    (settings(), 5, r'0\.weight of shape \(3, 2\), the model \(5, 2\)')])
def test_what_differs_is_named(config, width, words, saved):
    with pytest.raises(UsageError, match=rf'checkpoint {saved} .*{words}'):
        check_training_state(saved, config, model(width))
