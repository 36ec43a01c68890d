"""The objects of a run are built before it, and one that cannot be built is named."""
import pytest
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from dmsca_mm.compat import requirements
from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.build import check_build
from dmsca_mm.runtime.config import load_config
from dmsca_mm.runtime.resume import loops

DIGITS = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'


@pytest.fixture
def config(repository):
    return load_config(str(repository / DIGITS))


def test_good_config_builds_and_stays_as_it_is(config):
    before = config.to_dict()
    assert sum(value.numel() for value in check_build(config).parameters()) > 1e6
    assert config.to_dict() == before


def test_layers_of_a_part_from_another_library_are_those_of_that_library(config):
    requirements.require('mmpretrain')
    config.model.backbone = dict(type='mmpretrain.ConvNeXt', arch='atto', norm_cfg=dict(type='LN2d', eps=1e-6))
    check_build(config)


def test_priority_of_a_hook_and_an_evaluator_of_several_metrics_are_the_runner_s(config):
    config.custom_hooks = [dict(type='CheckInvalidLossHook', priority='VERY_LOW')]
    config.val_evaluator = dict(type='MultiDatasetsEvaluator', metrics=[config.val_evaluator], dataset_prefixes=['all'])
    check_build(config)
    config.val_evaluator.metrics[0].type = 'CocoMetrik'
    with pytest.raises(UsageError, match="val_evaluator: 'CocoMetrik' is registered nowhere"):
        check_build(config)


@pytest.mark.parametrize(('key', 'value', 'words'), [
    ('model.rpn_head.type', 'RPNHaed', 'RPNHaed is not in the'),
    ('model.neck.out_chanels', 64, "'out_chanels'"),
    ('optim_wrapper.optimizer.momentun', 0.9, "'momentun'"),
    ('train_dataloader.dataset.pipeline.2.type', 'Rezise', 'Rezise is not in the'),
    ('val_dataloader.dataset.pipeline.1.scael', 3, "'scael'"),
    ('model.backbone.norm_cfg.type', 'B_N', "model.backbone.norm_cfg: 'B_N' is registered nowhere"),
    ('param_scheduler.0.type', 'LinearRL', "param_scheduler: 'LinearRL' is registered nowhere"),
    ('train_dataloader.batch_sampler.type', 'Grouped', "'Grouped' is registered nowhere"),
    ('default_hooks.logger.intervall', 3, "'intervall'")])
def test_part_that_cannot_be_built_is_named(key, value, words, config):
    config.merge_from_dict({key: value})
    with pytest.raises(UsageError, match=words):
        check_build(config)


def test_arguments_of_this_packages_loops_are_those_of_mmengines(config):
    loops.install(config)
    check_build(config)
    config.train_cfg.max_epoch = 3
    with pytest.raises(UsageError, match="train_cfg: EpochBasedTrainLoop takes no argument 'max_epoch'"):
        check_build(config)


def test_a_function_in_place_of_a_dict_is_left_to_the_runner(config):
    config.train_dataloader.collate_fn = pseudo_collate
    check_build(config)


def test_hook_with_a_priority_builds_as_mmengine_builds_it(config):
    config.custom_hooks = [dict(type='SyncBuffersHook', priority='LOW')]
    check_build(config)


@pytest.mark.parametrize(('key', 'value', 'words'), [
    ('val_evaluator.metrik', 'bbox', "val_evaluator: CocoMetric takes no argument 'metrik'"),
    ('train_cfg.max_epoch', 3, "train_cfg: EpochBasedTrainLoop takes no argument 'max_epoch'"),
    ('val_cfg.fp17', True, "val_cfg: ValLoop takes no argument 'fp17'"),
    ('log_processor', dict(inner=dict(by_epoch=False)), "log_processor: LogProcessor takes no argument 'inner'"),
    ('log_processor', dict(_scope_='mmdet'), "log_processor: LogProcessor takes no argument '_scope_'"),
    ('param_scheduler.0.end', -5, r'param_scheduler\.0 \(LinearLR\) cannot be built'),
    ('train_dataloader.dataset.data_prefix.img', 3, r'train_dataloader\.dataset.* \(CocoDataset\) cannot be built'),
    ('model.neck.num_outs', 'many', r'model\.neck \(FPN\) cannot be built')])
def test_part_whose_arguments_are_wrong_is_named_by_its_path(key, value, words, config):
    config.pop('log_processor', None)
    config.merge_from_dict({key: value})
    with pytest.raises(UsageError, match=words):
        check_build(config)


def test_a_missing_default_scope_is_named_beside_the_name_that_needs_it(config):
    config.pop('default_scope')
    with DefaultScope.overwrite_default_scope('mmengine'), pytest.raises(
            UsageError, match=r"registered nowhere: the config sets no default_scope, such as 'mmdet': set it"):
        check_build(config, ('val',))


def test_parts_of_another_split_are_left_alone(config):
    config.train_dataloader.sampler.type = config.param_scheduler[0].type = 'None such'
    check_build(config, ('test',))
