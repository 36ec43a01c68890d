"""Each changed key that affects training is reported with its effect, or refused; others are not."""
import copy

import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.resume.training import MEANINGS, compare_training

OLD = dict(
    train_cfg=dict(type='SameEpochLoop', max_epochs=12, val_interval=1),
    train_dataloader=dict(
        batch_size=2, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='RepeatDataset', times=3, dataset=dict(
            type='CocoDataset', ann_file='a.json', metainfo=dict(classes=['cat', 'dog']),
            pipeline=[dict(type='LoadWholeImage'), dict(type='Resize', scale=[1333, 800])]))),
    optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02), clip_grad=None),
    param_scheduler=[dict(type='LinearLR', end=500), dict(type='MultiStepLR', milestones=[8, 11])],
    custom_hooks=[dict(type='StopOnBadNumbers'), dict(type='SaveOnSignal'), dict(type='StoreProcesses'),
                  dict(type='LogAttention', interval=50)],
    val_dataloader=dict(dataset=dict(type='CocoDataset', ann_file='v.json')), val_evaluator=dict(type='CocoMetric'),
    randomness=dict(seed=None), work_dir='one', log_level='INFO')
META = dict(epoch=4, iter=400)
DATA = 'train_dataloader.dataset.dataset'


def changed(path, value):
    """A copy of OLD with one changed value; list entries are addressed by index."""
    new = copy.deepcopy(OLD)
    *keys, last = path.split('.')
    node = new
    for key in keys:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    node[int(last) if isinstance(node, list) else last] = value
    return new


def compared(path, value):
    return list(compare_training(OLD, changed(path, value), META))


@pytest.mark.parametrize(('iteration', 'lines'), [(400, 0), (401, 1)])
def test_gradients_that_were_accumulated_before_the_checkpoint_are_reported_as_lost(iteration, lines):
    both = changed('optim_wrapper.accumulative_counts', 4)
    found = list(compare_training(both, both, dict(META, iter=iteration)))
    assert found == ['the checkpoint was saved after 1 of the 4 iterations of an optimizer step: their gradients are '
                     'lost, so the run does not continue bit for bit'] * lines


@pytest.mark.parametrize(('path', 'value', 'meaning'), [
    ('train_dataloader.batch_size', 4, "at the checkpoint's learning rate"),
    ('optim_wrapper.accumulative_counts', 2, "at the checkpoint's learning rate"),
    (f'{DATA}.ann_file', 'b.json', 'the rest of the run trains on that'),
    (f'{DATA}.pipeline.1.scale', [666, 400], 'the rest of the run trains on that'),
    (f'{DATA}.metainfo.classes', ['cat', 'hound'], 'the rest of the run trains on that'),
    ('train_dataloader.dataset.times', 2, 'the rest of the run trains on that'),
    ('train_dataloader.sampler.shuffle', False, 'another order'),
    ('train_cfg.max_epochs', 24, 'the run ends there, and the learning rate follows the schedule of the checkpoint'),
    ('param_scheduler.1.milestones', [16, 22], 'no effect, the schedule of the checkpoint goes on'),
    ('optim_wrapper.optimizer.lr', 0.01, "no effect, the optimizer goes on with the checkpoint's"),
    ('optim_wrapper.clip_grad', dict(max_norm=35), 'it holds from here'),
    ('optim_wrapper.type', 'AmpOptimWrapper', 'it holds from here'),
    ('auto_scale_lr', dict(enable=True, base_batch_size=16), 'no effect'),
    ('custom_hooks', [*OLD['custom_hooks'], dict(type='EMAHook')], 'it holds from here'),
    ('randomness.deterministic', True, 'it holds from here'),
    ('val_dataloader.dataset.ann_file', 'w.json', 'scores before and after do not compare')])
def test_change_is_one_line_with_what_it_means(path, value, meaning):
    line, = compared(path, value)
    assert line.startswith(path)
    assert meaning in line


@pytest.mark.parametrize(('path', 'value'), [
    ('work_dir', 'two'), ('log_level', 'ERROR'), ('randomness.seed', 7), ('train_dataloader.num_workers', 4),
    ('train_cfg.val_interval', 3), ('default_hooks', dict(checkpoint=dict(interval=2))),
    (f'{DATA}.pipeline.0.skipped', 'work/skipped_images.txt'), ('custom_hooks.3.interval', 10)])
def test_what_changes_nothing_of_the_training_is_not_mentioned(path, value):
    assert compared(path, value) == []


@pytest.mark.parametrize(('path', 'value', 'words'), [
    ('optim_wrapper.optimizer', dict(type='AdamW', lr=0.02), ['was SGD and is AdamW', 'does not fit']),
    ('param_scheduler.1', dict(type='CosineAnnealingLR'), ['was MultiStepLR and is CosineAnnealingLR']),
    ('param_scheduler', [dict(type='LinearLR')], ['was [LinearLR, MultiStepLR] and is [LinearLR]']),
    ('train_cfg', dict(type='SameIterLoop', max_iters=9), ['a loop over epochs and is one over iterations']),
    ('train_cfg.max_epochs', 4, ['max_epochs was 12 and is 4, and the checkpoint stands at 4 already']),
    ('train_cfg.max_epochs', 4.0, ['max_epochs was 12 and is 4.0, and the checkpoint stands at 4 already']),
    (f'{DATA}.metainfo.classes', ['dog', 'cat'], ['the labels would mean other classes']),
    (f'{DATA}.metainfo.classes', ['cat'], ["was ['cat', 'dog'] and is ['cat']"])])
def test_change_that_cannot_be_meant_is_refused(path, value, words):
    with pytest.raises(UsageError) as caught:
        compared(path, value)
    assert all(word in str(caught.value) for word in words)


def test_run_of_a_librarys_own_tool_is_said_and_nothing_else():
    old = changed('train_cfg', dict(by_epoch=True, max_epochs=12, val_interval=1))
    old.update(custom_hooks=None)
    line, = compare_training(old, OLD, META)
    assert line.startswith('the checkpoint is from another tool')


def test_shortening_a_loop_over_iterations_below_its_position_is_refused():
    old = changed('train_cfg', dict(type='SameIterLoop', max_iters=1000))
    new = changed('train_cfg', dict(type='SameIterLoop', max_iters=300))
    with pytest.raises(UsageError, match='the checkpoint stands at 400 already'):
        list(compare_training(old, new, META))


def test_stored_nonsense_is_another_config():
    with pytest.raises(UsageError, match='a loop over iterations and is one over epochs'):
        list(compare_training(dict(OLD, train_cfg='x', custom_hooks='abc'), OLD, META))
    with pytest.raises(UsageError, match='param_scheduler was 7'):
        list(compare_training(dict(OLD, param_scheduler=7), OLD, META))
    old = changed(f'{DATA}.metainfo.classes', [1, None])
    assert list(compare_training(old, OLD, META)) == [
        f"{DATA}.metainfo.classes was [1, None] and is ['cat', 'dog']: the rest of the run trains on that"]


@pytest.mark.parametrize('path', [
    'train_dataloader.batch_sampler', 'train_dataloader.drop_last', 'train_dataloader.collate_fn',
    'optim_wrapper.constructor', 'optim_wrapper.paramwise_cfg', 'optim_wrapper.dtype', 'optim_wrapper.loss_scale',
    'randomness.diff_rank_seed', 'val_evaluator'])
def test_other_documented_keys_are_reported_with_what_a_change_means(path):
    line, = compared(path, 'another')
    assert line.startswith(path)
    assert line.endswith(MEANINGS[path])
