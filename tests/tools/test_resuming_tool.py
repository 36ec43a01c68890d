"""Resuming with another config, as a user does it: a line for each change, or one that refuses."""
import re

import pytest
from commands import DETECTOR, assert_one_line, short_run


@pytest.fixture(scope='module')
def begun(digits, call_in, tmp_path_factory):
    """The first checkpoint of a run of two epochs."""
    work = tmp_path_factory.mktemp('begun')
    trained = call_in(work, 'train.py', DETECTOR, '--work-dir', work, *short_run(digits, True, 2))
    assert trained.returncode == 0, trained.stderr
    return work / 'epoch_1.pth'


def test_each_change_is_said_before_the_run_goes_on(begun, digits, call, tmp_path):
    resumed = call('dist_train.sh', DETECTOR, 2, '--work-dir', tmp_path, '--resume', begun,
                   *short_run(digits, True, 3), 'train_dataloader.batch_size=1', 'optim_wrapper.optimizer.lr=0.5',
                   'model.rpn_head.loss_cls.loss_weight=0.5', 'train_dataloader.dataset.pipeline.2.scale=(96,96)')
    assert resumed.returncode == 0, resumed.stderr
    warnings = [line for line in resumed.stderr.splitlines() if line.startswith('warning: ')]
    for words in ('the number of processes was 1 and is 2', 'train_cfg.max_epochs was 2 and is 3',
                  'train_dataloader.batch_size was 2 and is 1',
                  'optim_wrapper.optimizer.lr was 0.001 and is 0.5: no effect',
                  'model.rpn_head.loss_cls.loss_weight was 1.0 and is 0.5: it holds from here',
                  r'pipeline.2.scale was \[160, 160\] and is \[96, 96\]: the rest of the run trains on that'):
        assert len([line for line in warnings if re.search(words, line)]) == 1, words
    logged = ''.join(path.read_text() for path in tmp_path.rglob('scalars.json'))
    rates = [float(rate) for rate in re.findall(r'"lr": ([\d.e-]+)', logged)]
    assert rates
    assert max(rates) < 0.5, 'the new learning rate has no effect, as the warning states'


def test_same_run_goes_on_without_a_word(begun, digits, call, tmp_path):
    resumed = call('train.py', DETECTOR, '--work-dir', tmp_path, '--resume', begun, *short_run(digits, True, 2))
    assert resumed.returncode == 0, resumed.stderr
    assert ' was ' not in ''.join(line for line in resumed.stderr.splitlines() if line.startswith('warning'))


PLUGIN = 'model.backbone.plugins.0'


@pytest.mark.parametrize(('change', 'words'), [
    (f'{PLUGIN}.cfg.reduction=4', ['plugins.0.cfg.reduction', 'is 4', 'different network', 'dmsca.gce.fc1']),
    (f'{PLUGIN}.cfg.init=paper', ['plugins.0.cfg.init', 'paper', 'different attention']),
    (f'{PLUGIN}.position=after_conv2', ['plugins.0.position', 'after_conv3', 'after_conv2', 'different attention']),
    ('model.roi_head.bbox_head.num_classes=12', ['num_classes was 10 and is 12', 'different network']),
    ('optim_wrapper.optimizer.type=Adagrad', ['optim_wrapper.optimizer', 'Adagrad', 'does not fit']),
    ('param_scheduler=[]', ['param_scheduler', 'does not fit']),
    ('train_cfg.max_epochs=1', ['max_epochs was 2 and is 1', 'stands at 1 already'])])
def test_change_that_cannot_be_meant_is_one_line(change, words, begun, digits, call_here, tmp_path):
    refused = call_here('train.py', DETECTOR, '--work-dir', tmp_path / 'work', '--resume', begun,
                        *short_run(digits, True, 2), change)
    assert_one_line(refused, f'checkpoint {begun} cannot be resumed with this config', *words)
    assert not (tmp_path / 'work').exists()
