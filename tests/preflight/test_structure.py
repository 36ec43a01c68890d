"""A config entry of the wrong type is named by its path, with the type it must have."""
import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.structure import check_complete, check_structure
from dmsca_mm.runtime.config import load_config

DIGITS = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'


@pytest.fixture
def config(repository):
    return load_config(str(repository / DIGITS))


@pytest.mark.parametrize(('key', 'value', 'wanted'), [
    ('default_scope', '', 'the name of a library'),
    ('train_cfg', 3, 'a dict or None'), ('train_cfg.max_epochs', 'many', 'an integer of at least 1'),
    ('train_dataloader.batch_size', 0, 'an integer of at least 1'), ('train_dataloader.dataset', [], 'a dict with'),
    ('val_dataloader.dataset.pipeline', dict(type='Resize'), 'a list of dicts'),
    ('train_dataloader.dataset.data_root', 7, 'a string or None'), ('default_hooks', [], 'a dict or None'),
    ('default_hooks.logger', dict(interval=3), 'a dict with its type'),
    ('param_scheduler', 'cosine', 'a list of such'),
    ('custom_hooks', dict(type='EMAHook'), 'a list of dicts'), ('optim_wrapper.optimizer', 'SGD', 'a dict with'),
    ('model.backbone', dict(depth=50), 'a dict with its type'),
    ('model.backbone.frozen_stages', 'first', 'an integer'), ('randomness.seed', 'any', 'an integer'),
    ('log_level', 'LOUD', 'a level of logging'), ('env_cfg.mp_cfg.mp_start_method', 'run', 'one of fork'),
    ('load_from', ['a.pth'], 'a string or None'), ('val_evaluator', 'mAP', 'a list of such')])
def test_entry_of_another_kind_is_named_with_what_it_must_be(key, value, wanted, config):
    *parents, last = key.split('.')
    node = config
    for parent in parents:
        node = node[parent]
    node[last] = value
    with pytest.raises(UsageError, match=rf'^{key} is .*must be .*{wanted}'):
        check_structure(config)


@pytest.mark.parametrize(('wrapper', 'path'), [
    (lambda data: dict(type='RepeatDataset', times=2, dataset=data), r'train_dataloader\.dataset\.dataset\.ann_file'),
    (lambda data: dict(type='ConcatDataset', datasets=[data]), r'train_dataloader\.dataset\.datasets\.0\.ann_file')])
def test_data_set_inside_a_wrapper_is_named_by_its_path(wrapper, path, config):
    config.train_dataloader.dataset = wrapper(dict(config.train_dataloader.dataset, ann_file=3))
    with pytest.raises(UsageError, match=f'^{path} is 3'):
        check_structure(config)


@pytest.mark.parametrize('key', ['dataset', 'sampler'])
def test_loader_that_lacks_what_has_no_default(key, config):
    del config.train_dataloader[key]
    with pytest.raises(UsageError, match=f'train_dataloader has no {key}'):
        check_structure(config)


def test_what_a_run_needs_is_there_as_a_whole(config):
    check_complete(config, 'train')
    config.val_evaluator = None
    with pytest.raises(UsageError, match=r'no val_evaluator: give all of val_dataloader, val_cfg, val_evaluator.*None'):
        check_complete(config, 'train')
    config.val_dataloader = config.val_cfg = None
    check_complete(config, 'train')
    config.train_dataloader = config.train_cfg = config.optim_wrapper = None
    check_complete(config, 'test')
    with pytest.raises(UsageError, match='no train_dataloader and no train_cfg and no optim_wrapper'):
        check_complete(config, 'train')


def test_plugin_without_a_list_around_it(config):
    config.model.backbone.plugins = config.model.backbone.plugins[0]
    with pytest.raises(UsageError, match=r'plugins=.*must be a list: write plugins=\[\.\.\.\]'):
        check_structure(config)


def test_least_config_passes():
    check_structure(Config(dict(model=dict(type='Detector', backbone=dict(type='ResNet')))))


def test_wrong_entry_of_a_list_is_named_by_its_number(config):
    config.train_dataloader.dataset.pipeline[2] = 'Resize'
    with pytest.raises(UsageError, match=r"^train_dataloader\.dataset\.pipeline\.2 is 'Resize', and must be"):
        check_structure(config)


@pytest.mark.parametrize(('path', 'value'), [
    ('train_cfg.val_interval', 57300.0), ('train_cfg.max_epochs', 1e2), ('model.backbone.pretrained', True),
    ('model.backbone.init_cfg', dict(checkpoint='https://host/pvt.pth'))])
def test_values_of_published_configs_pass(path, value):
    config = Config(dict(model=dict(backbone=dict(type='ResNet', depth=50)), train_cfg=dict(max_epochs=1)))
    config.merge_from_dict({path: value})
    check_structure(config)
