"""Pretraining and transfer as a user runs them: a digit classifier, its test, then a detector and a segmenter."""
import json
import pickle
import re

import pytest
import torch
from commands import DETECTOR, SEGMENTER, assert_one_line, short_run

from dmsca_mm.datasets.digit_classes import make_digit_classes

CLASSIFIER = 'configs/pretrain/resnet50_dmsca_digits.py'
SPLITS = ('train', 'val', 'test')


def class_options(root):
    return [f'{split}_dataloader.dataset.data_root={root}' for split in SPLITS]


@pytest.fixture(scope='session')
def classifier(digit_classes, call_in, tmp_path_factory):
    """The work directory of a classifier that has memorized forty images, and the output of its training."""
    folder = tmp_path_factory.mktemp('classifier')
    trained = call_in(folder, 'train.py', CLASSIFIER, '--work-dir', folder / 'work', '--cfg-options',
                      *class_options(digit_classes), 'train_dataloader.batch_size=10', 'train_cfg.max_epochs=15',
                      'train_cfg.val_interval=15', 'param_scheduler.0.end=4', 'param_scheduler.1.end=15',
                      'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=15')
    assert trained.returncode == 0, trained.stderr
    return folder / 'work', trained


def scalars(work):
    lines = [json.loads(line) for line in next(work.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    return lines


def test_a_classifier_learns_and_tells_of_its_attention(classifier):
    work, _ = classifier
    lines = scalars(work)
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert len(losses) == 60
    assert sum(losses[-8:]) / 8 < sum(losses[:8]) / 8 - 0.2
    assert any('attention/backbone.layer1.0.dmsca/temperature' in line for line in lines)


def test_its_checkpoint_is_tested_drawn_and_its_predictions_written(classifier, digit_classes, call, tmp_path):
    """On its training images accuracy is well above chance, which is 10 %."""
    tested = call('test.py', CLASSIFIER, classifier[0] / 'epoch_15.pth', '--work-dir', tmp_path / 'test', '--out',
                  tmp_path / 'found.pkl', '--show-dir', tmp_path / 'pictures', '--cfg-options',
                  *class_options(digit_classes), 'test_dataloader.dataset.data_prefix=training')
    assert tested.returncode == 0, tested.stderr
    accuracy = float(re.search(r'tested: accuracy/top1 ([\d.]+)', tested.stdout)[1])
    assert accuracy >= 25
    assert len(pickle.loads((tmp_path / 'found.pkl').read_bytes())) == 40
    assert len(list((tmp_path / 'pictures').glob('*.png'))) == 40


@pytest.mark.parametrize('config', [DETECTOR, SEGMENTER])
def test_a_detector_and_a_segmenter_train_on_from_it(config, classifier, digits, call, tmp_path):
    """Their first checkpoint, at a learning rate of zero, holds every tensor of the classifier's backbone."""
    weights, start = classifier[0] / 'epoch_15.pth', 'model.backbone.init_cfg'
    kind = [] if config == DETECTOR else ['model.backbone.type=ResNet']  # ResNetV1c has another stem
    trained = call('train.py', config, '--work-dir', tmp_path / 'work', *short_run(digits, config == DETECTOR, 1),
                   'optim_wrapper.optimizer.lr=0', f'{start}._delete_=True', f'{start}.type=Pretrained',
                   f'{start}.checkpoint={weights}', f'{start}.prefix=backbone.', *kind)
    assert trained.returncode == 0, trained.stderr
    first, = (tmp_path / 'work').glob('*_1.pth')
    now, before = (torch.load(path, weights_only=False)['state_dict'] for path in (first, weights))
    kept = [name for name in before
            if name.startswith('backbone.') and 'running_' not in name and 'num_batches' not in name]
    assert sum('.dmsca.' in name for name in kept) > 100
    for name in kept:
        assert torch.equal(now[name], before[name]), name


@pytest.mark.parametrize(('command', 'words'), [
    (['train.py', CLASSIFIER], ['data/digit_classes/training', 'make-digits --task classification']),
    (['train.py', 'configs/pretrain/resnet18_dmsca_imagenet.py'], ['data/imagenet/train', 'image-net.org']),
    (['train.py', 'configs/pretrain/resnet18_dmsca_cifar10.py'], ['data/cifar10', 'kriz/cifar.html']),
    (['test.py', CLASSIFIER, 'x.pth', '--out', 'found.json'], ['found.json', 'classifier', '.pkl'])])
def test_bad_input_is_one_line_and_writes_nothing(command, words, call_here, tmp_path):
    assert_one_line(call_here(*command), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_the_digits_classifier_reaches_97_percent_on_held_out_writers(call_in, repository, tmp_path):
    make_digit_classes(tmp_path / 'data/digit_classes')
    trained = call_in(tmp_path, 'dist_train.sh', CLASSIFIER, 2, '--work-dir', tmp_path / 'work', timeout=3600)
    assert trained.returncode == 0, trained.stderr
    tested = call_in(tmp_path, 'test.py', CLASSIFIER, (tmp_path / 'work/last_checkpoint').read_text(), '--work-dir',
                     tmp_path / 'test')
    print(tested.stdout.splitlines()[-1])
    assert float(re.search(r'accuracy/top1 ([\d.]+)', tested.stdout)[1]) >= 97
