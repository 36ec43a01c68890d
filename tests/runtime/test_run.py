"""Prepare a config for a run, without running it; tests/tools runs it."""
import re
from functools import partial

import pytest
import torch

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import run, testing

TRAINING = dict(state_dict={}, optimizer={}, message_hub={}, meta=dict(seed=7, iter=3, epoch=3))
RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


@pytest.mark.parametrize(('in_config', 'argument', 'expected'), [
    (None, None, 'work_dirs/retinanet_r50_fpn_1x_coco'), ('mine', None, 'mine'), ('mine', 'other', 'other')])
def test_work_directory_is_the_argument_then_the_config_then_the_name(in_config, argument, expected, kept, tmp_path,
                                                                     monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {'work_dir': in_config} if in_config else None
    assert kept(run.train, RETINANET, work_dir=argument, cfg_options=options).work_dir == expected


def test_resume_with_nothing_there_starts_as_the_config_says(kept, tmp_path):
    options = dict(load_from='start.pth')
    config = kept(run.train, RETINANET, work_dir=str(tmp_path), resume='auto', cfg_options=options)
    assert (config.load_from, config.resume, kept.position()) == ('start.pth', False, None)


def test_a_config_that_resumes_is_checked_as_with_the_option(kept, tmp_path, capsys):
    """As the one that a resumed run of mmdet's own tools stores."""
    torch.save(TRAINING, tmp_path / 'epoch_3.pth')
    options = dict(resume=True, load_from=str(tmp_path / 'epoch_3.pth'))
    config = kept(run.train, RETINANET, work_dir=str(tmp_path / 'new'), cfg_options=options)
    assert (kept.position(), config.randomness.seed) == (options['load_from'], 7), 'the seed of the checkpoint'
    assert (f'warning: resume=True in {RETINANET}: resuming as with --resume {tmp_path}/epoch_3.pth'
            in capsys.readouterr().err)
    kept(run.train, RETINANET, work_dir=str(tmp_path / 'empty'), resume='auto', cfg_options=options)
    assert kept.position() is None, '--resume comes before the config'
    fresh = dict(resume=False, load_from=None)
    kept(run.train, RETINANET, work_dir=str(tmp_path / 'other'), cfg_options={**options, **fresh})
    assert kept.position() is None


def test_the_config_that_a_resumed_run_stores_begins_a_new_run_or_resumes_from_the_newest(kept, tmp_path):
    for epoch in (3, 9):
        torch.save(TRAINING, tmp_path / f'epoch_{epoch}.pth')
    begin = dict(load_from='start.pth')
    config = kept(run.train, RETINANET, work_dir=str(tmp_path), resume=str(tmp_path / 'epoch_3.pth'), cfg_options=begin)
    assert kept.position() == str(tmp_path / 'epoch_3.pth')
    stored = str(tmp_path / 'stored.py')
    config.dump(stored)
    kept(run.train, stored, resume='auto')
    assert kept.position() == str(tmp_path / 'epoch_9.pth')
    assert kept(run.train, stored, work_dir=str(tmp_path / 'new')).load_from == 'start.pth'
    assert kept.position() is None


def test_the_processes_of_a_resumed_run_compare_where_they_begin(kept, tmp_path, monkeypatch):
    torch.save(TRAINING, tmp_path / 'epoch_3.pth')
    asked = []
    monkeypatch.setattr(run.distributed, 'check_same_beginning', asked.append)
    kept(run.train, RETINANET, work_dir=str(tmp_path), resume='auto')
    assert asked == [str(tmp_path / 'epoch_3.pth')]


def test_a_run_that_saves_elsewhere_is_resumed_from_there(kept, tmp_path):
    (tmp_path / 'out/work').mkdir(parents=True)
    torch.save(TRAINING, tmp_path / 'out/work/epoch_3.pth')
    kept(run.train, RETINANET, work_dir=str(tmp_path / 'work'), resume='auto',
         cfg_options={'default_hooks.checkpoint.out_dir': str(tmp_path / 'out')})
    assert kept.position() == str(tmp_path / 'out/work/epoch_3.pth')


def test_resuming_another_runs_checkpoint_leaves_the_checkpoints_of_the_folder_alone(kept, tmp_path):
    work, start = tmp_path / 'work', tmp_path / 'other/epoch_1.pth'
    for path in (work / 'epoch_3.pth', start):
        path.parent.mkdir()
        torch.save(TRAINING, path)
    with pytest.raises(UsageError, match=r'work holds 1 checkpoint\(s\) of an earlier run.*--work-dir'):
        run.train(RETINANET, work_dir=str(work), resume=str(start))
    for folder, path in ((work, work / 'epoch_3.pth'), (start.parent, start)):
        kept(run.train, RETINANET, work_dir=str(folder), resume=str(path))
        assert kept.position() == str(path)
    assert (work / 'epoch_3.pth').exists()
    kept(run.train, RETINANET, work_dir=str(work), resume=str(start), overwrite=True)
    assert kept.position() == str(start)
    assert not (work / 'epoch_3.pth').exists()


def test_broken_checkpoints_are_told_and_passed_over(kept, tmp_path, capsys):
    torch.save(TRAINING, tmp_path / 'epoch_3.pth')
    (tmp_path / 'epoch_4.pth').write_bytes(b'PK')
    (tmp_path / 'epoch_4.pth.part').touch()
    kept(run.train, RETINANET, work_dir=str(tmp_path), resume='auto')
    assert kept.position() == str(tmp_path / 'epoch_3.pth')
    assert 'warning: passed over: checkpoint' in capsys.readouterr().err
    assert not (tmp_path / 'epoch_4.pth.part').exists()


def test_training_gets_the_safeguards_and_testing_names_bad_images(kept, tmp_path):
    config = kept(run.train, RETINANET, work_dir=str(tmp_path), skip_bad_images=True, track='tensorboard')
    assert 'dmsca_mm.registry' in config.custom_imports.imports
    loader = config.train_dataloader.dataset.pipeline[0]
    assert (loader.type, loader.skipped) == ('LoadWholeImage', str(tmp_path / 'skipped_images.txt'))
    assert config.visualizer.vis_backends[-1].type == 'TensorboardVisBackend'
    tested = kept(testing.test, RETINANET, 'x.pth', work_dir=str(tmp_path))
    assert tested.test_dataloader.dataset.pipeline[0] == dict(type='LoadWholeImage', backend_args=None)


def test_end_says_where_everything_lies(tmp_path):
    assert run.whereabouts(tmp_path) == f'trained: logs and checkpoints are in {tmp_path}'
    (tmp_path / 'skipped_images.txt').write_text('image a.jpg is empty\nimage a.jpg is empty\nimage b.jpg is empty\n')
    events = tmp_path / 'now' / 'vis_data' / 'events.out.tfevents.1'
    events.parent.mkdir(parents=True)
    events.touch()
    assert run.whereabouts(tmp_path) == (
        f'trained: logs and checkpoints are in {tmp_path}; curves: tensorboard --logdir {tmp_path}; '
        f'2 bad image(s) were left out, see {tmp_path}/skipped_images.txt')


def test_overwrite_drops_old_checkpoints(kept, tmp_path):
    for name in ('epoch_1.pth', 'last_checkpoint', 'notes.txt'):
        (tmp_path / name).touch()
    kept(run.train, RETINANET, work_dir=str(tmp_path), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']


def test_overwrite_does_not_drop_what_the_run_starts_from(tmp_path, monkeypatch):
    monkeypatch.setattr(run.preflight, 'check_train', lambda *arguments: [])
    monkeypatch.setattr(run.preflight, 'check_test', lambda *arguments, **options: [])
    start = tmp_path / 'epoch_1.pth'
    start.touch()
    for options in (dict(load_from=str(start)), {'model.backbone.init_cfg.checkpoint': str(start)},
                    {'model.init_cfg': dict(type='Pretrained', checkpoint=str(start))}):
        with pytest.raises(UsageError, match=re.escape(f'--overwrite would drop {start}')):
            run.train(RETINANET, work_dir=str(tmp_path), overwrite=True, cfg_options=options)
    assert start.exists()


def test_auto_scale_lr_switches_on_what_the_config_offers(kept, tmp_path):
    work = str(tmp_path)
    assert kept(run.train, RETINANET, work_dir=work, auto_scale_lr=True).auto_scale_lr.enable
    with pytest.raises(UsageError, match='--auto-scale-lr needs auto_scale_lr'):
        run.train(RETINANET, work_dir=work, auto_scale_lr=True, cfg_options=dict(auto_scale_lr=None))


@pytest.mark.parametrize('tests', [False, True])
def test_one_process_of_a_machine_reads_the_data_and_the_others_wait_for_it(tests, untrained, tmp_path, monkeypatch):
    class Waits(Exception):
        pass

    def wait(config):
        raise Waits
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run.distributed, 'prepare', wait)
    monkeypatch.setenv('WORLD_SIZE', '2')
    config, checkpoint = untrained('detector')
    begin = partial(testing.test, config, checkpoint) if tests else partial(run.train, config)
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(UsageError, match='does not exist'):
        begin(launcher='pytorch')
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(Waits):
        begin(launcher='pytorch')
    assert list(tmp_path.iterdir()) == []
