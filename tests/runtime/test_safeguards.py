"""A training gets every safeguard, and its dumped config can import them."""

from mmengine.config import Config

from dmsca_mm.runtime import safeguards


def config(**more):
    return Config(dict(
        work_dir='work', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
        train_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile')]), disable_subprocess_warning=True),
        val_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile')])),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)), custom_hooks=[dict(type='EMAHook')],
        **more))


def test_training_gets_loops_hooks_and_loader():
    cfg = config()
    safeguards.install(cfg)
    assert cfg.default_hooks.checkpoint.type == 'WholeCheckpointHook'
    assert cfg.train_cfg.type == 'SameEpochLoop'
    assert [hook.type for hook in cfg.custom_hooks] == [
        'EMAHook', 'TrialValidation', 'StopOnBadNumbers', 'SaveOnSignal', 'StoreProcesses']
    assert cfg.train_dataloader.worker_init_fn == dict(type='start_worker', quiet=True)
    assert cfg.val_dataloader.worker_init_fn == dict(type='start_worker', quiet=False)
    assert cfg.train_dataloader.dataset.pipeline == [dict(type='LoadWholeImage')]


def test_a_config_that_a_run_stored_gets_each_hook_once_and_the_options_of_this_run():
    cfg = config()
    safeguards.install(cfg, skip_bad_images=True)
    hooks = cfg.custom_hooks
    assert 'skipped' in cfg.train_dataloader.dataset.pipeline[0]
    safeguards.install(cfg)
    assert cfg.custom_hooks == hooks
    assert cfg.train_dataloader.dataset.pipeline == [dict(type='LoadWholeImage')]
    safeguards.install(cfg, skip_bad_images=True)
    assert 'skipped' in cfg.train_dataloader.dataset.pipeline[0]


def test_dumped_config_has_one_import_and_can_be_read_again(tmp_path):
    cfg = config()
    safeguards.install(cfg)
    cfg.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert again.to_dict() == cfg.to_dict()
    assert again.custom_imports.imports == ['dmsca_mm.registry']
