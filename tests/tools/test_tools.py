"""The commands as a user runs them: real processes, tiny data, exit codes and what they print."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import DETECTOR, SEGMENTER, assert_one_line, data_options, short_run
from hostile import touching


def last_checkpoint(work):
    return torch.load((work / 'last_checkpoint').read_text(), weights_only=False)


@pytest.mark.parametrize(('config', 'first', 'second'), [(DETECTOR, 'epoch_1.pth', 'epoch_2.pth'),
                                                         (SEGMENTER, 'iter_1.pth', 'iter_2.pth')])
def test_two_processes_train_resume_and_test(config, first, second, digits, call, tmp_path):
    detector, work = config == DETECTOR, tmp_path / 'work'

    trained = call('dist_train.sh', config, 2, '--work-dir', work, *short_run(digits, detector, 1))
    assert trained.returncode == 0, trained.stderr
    assert f'trained: logs and checkpoints are in {work}' in trained.stdout
    assert trained.stdout.count('trained:') == 1, 'one process speaks for both'
    assert (work / 'last_checkpoint').read_text().endswith(first)

    resumed = call('dist_train.sh', config, 2, '--work-dir', work, '--resume', *short_run(digits, detector, 2))
    assert resumed.returncode == 0, resumed.stderr
    assert (work / 'last_checkpoint').read_text().endswith(second)
    assert f'resumed epoch: {int(detector)}, iter: {2 if detector else 1}' in resumed.stdout + resumed.stderr
    state = torch.load(work / first, weights_only=False), torch.load(work / second, weights_only=False)
    steps = [next(iter(one['optimizer']['state'].values()))['step'] for one in state]
    assert steps[1] == 2 * steps[0], 'the optimizer went on where it stood'
    assert 'resume = False' in (work / Path(config).name).read_text(), 'a later run with it begins anew'
    assert 'resume = True' in max(work.glob('*/vis_data/config.py')).read_text(), 'the report joins the logs'

    tested = call('dist_test.sh', config, work / second, 2, '--work-dir', tmp_path / 'test', '--show-dir',
                  tmp_path / 'pictures', '--cfg-options', *data_options(digits, detector),
                  'default_hooks.visualization.interval=1')
    assert tested.returncode == 0, tested.stderr
    assert ('coco/bbox_mAP' if detector else 'mIoU') in tested.stdout.splitlines()[-1]
    pictures = [path for path in (tmp_path / 'pictures').rglob('*') if path.suffix in ('.png', '.jpg')]
    assert len(pictures) == 3, 'the first process draws its share of the five images'


def test_one_process_trains_a_plain_config_with_the_plugin_and_writes_predictions(digits, call, call_here, repository,
                                                                                  tmp_path):
    baseline = tmp_path / 'plain.py'
    baseline.write_text(f"_base_ = {str(repository / DETECTOR)!r}\nmodel = dict(backbone=dict(plugins=None))\n")
    work = tmp_path / 'work'
    trained = call('train.py', baseline, '--plugin', 'dmsca', '--work-dir', work, *short_run(digits, True, 1))
    assert trained.returncode == 0, trained.stderr
    weights = last_checkpoint(work)['state_dict']
    assert 'backbone.layer1.0.dmsca.gce.fc1.weight' in weights
    refused = call_here('train.py', baseline, '--plugin', 'dmsca', '--work-dir', work, *short_run(digits, True, 1))
    assert_one_line(refused, 'epoch_1.pth', '--resume', '--overwrite')
    tested = call('test.py', baseline, work / 'epoch_1.pth', '--plugin', 'dmsca', '--out', tmp_path / 'found.pkl',
                  '--work-dir', tmp_path / 'test', '--cfg-options', *data_options(digits, True))
    assert tested.returncode == 0, tested.stderr
    assert (tmp_path / 'found.pkl').stat().st_size > 0
    assert 'warning: only 5 images. As a share of so many, the figure has the 95 % interval 0.' in tested.stderr


def test_an_error_in_the_validation_ends_a_training_before_its_first_step(digits, call, tmp_path):
    keys = 'val_dataloader.dataset.pipeline.3.meta_keys=(ori_shape,img_shape,scale_factor)'
    ended = call('train.py', DETECTOR, '--work-dir', tmp_path / 'work', *short_run(digits, True, 1), keys)
    assert ended.returncode == 2
    line = ended.stderr.splitlines()[-1]
    assert line.startswith('error: val_evaluator')
    assert "(CocoMetric) ended the run: KeyError: 'img_id'" in line
    assert 'Epoch(train)' not in ended.stdout + ended.stderr
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_resnet_18_trains_with_the_plugin_and_is_looked_into(digits, call, repository, tmp_path):
    """With plugins=[...] in a config of the library's own ResNet, which does not support them at this depth."""
    shallow, work = tmp_path / 'shallow.py', tmp_path / 'work'
    shallow.write_text(f"_base_ = {str(repository / DETECTOR)!r}\n"
                       'model = dict(backbone=dict(depth=18), neck=dict(in_channels=[16, 32, 64, 128]))\n')
    trained = call('train.py', shallow, '--work-dir', work, *short_run(digits, True, 1))
    assert trained.returncode == 0, trained.stderr
    weights = last_checkpoint(work)['state_dict']
    assert weights['backbone.layer1.0.conv2.weight'].shape == (16, 16, 3, 3), 'a BasicBlock'
    assert weights['backbone.layer4.1.dmsca.aa.conv.weight'].shape == (1, 128, 1, 1)
    written = work / 'shallow.py'
    assert "type='PluginResNet'" in written.read_text()
    image = next((digits / 'images/validation').glob('*'))
    shown = call('show_attention.py', written, work / 'epoch_1.pth', image, '--out', tmp_path / 'figures')
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / f'figures/{image.stem}.attention.png').stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(('library', 'config', 'checkpoint'), [
    ('mmdet', 'configs/faster_rcnn_r50_dmsca.py', 'epoch_1.pth'),
    ('mmseg', 'configs/upernet_r50_dmsca.py', 'iter_1.pth')])
def test_headline_config_runs_with_the_librarys_own_tool(library, config, checkpoint, repository, request, tmp_path):
    tool = Path(importlib.util.find_spec(library).origin).parent / '.mim/tools/train.py'
    loaders = [f'{split}_dataloader.{key}' for split in ('train', 'val')
               for key in ('num_workers=0', 'persistent_workers=False')]
    if library == 'mmdet':
        root = request.getfixturevalue('tiny_coco')
        options = [f'train_dataloader.dataset.data_root={root}/', f'val_dataloader.dataset.data_root={root}/',
                   f'val_evaluator.ann_file={root}/annotations/instances_val2017.json', 'train_cfg.max_epochs=1',
                   'model.backbone.init_cfg=None', 'train_dataloader.dataset.pipeline.2.scale=(320,320)',
                   'val_dataloader.dataset.pipeline.1.scale=(320,320)']
    else:
        root = request.getfixturevalue('tiny_ade')
        options = [f'train_dataloader.dataset.data_root={root}', f'val_dataloader.dataset.data_root={root}',
                   'train_dataloader.batch_size=2', 'train_cfg.max_iters=1', 'train_cfg.val_interval=1',
                   'model.pretrained=None']
    finished = subprocess.run(
        [sys.executable, tool, repository / config, '--work-dir', tmp_path, '--cfg-options', *loaders, *options],
        capture_output=True, text=True, timeout=400, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / checkpoint).exists()


@pytest.fixture
def no_backbone(tmp_path):
    (tmp_path / 'bare.py').write_text("model = dict(type='Detector')\n")
    return tmp_path / 'bare.py'


@pytest.mark.parametrize(('command', 'words'), [
    (['train.py', 'none.py'], ['none.py', 'does not exist']),
    (['train.py', 'mmdet::none/none.py'], ['mmdet::none/none.py', 'cannot be read']),
    (['train.py', 'mmdet::hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py', '--plugin', 'dmsca'], ['HRNet', 'no plugins']),
    (['train.py', 'configs/faster_rcnn_r50_dmsca.py'], ['data/coco', 'does not exist', 'cocodataset.org']),
    (['train.py', 'configs/upernet_r50_dmsca.py'], ['data/ade', 'does not exist', 'ADEChallengeData2016.zip']),
    (['train.py', DETECTOR], ['data/digits', 'does not exist', 'dmsca_mm make-digits']),
    (['train.py', DETECTOR, '--cfg-options', 'model.backbone.plugins.0.cfg.reduction=0'], ['DMSCA', 'reduction', '0']),
    (['test.py', DETECTOR, 'none.pth', '--out', 'found.json'], ['found.json', '.pkl'])])
def test_bad_input_is_one_line_and_writes_nothing(command, words, call_here, tmp_path):
    assert_one_line(call_here(*command), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('command', 'words'), [
    (['train.py', 'none.py'], ['none.py', 'does not exist']),
    (['dist_train.sh', DETECTOR, '2'], ['data/digits', 'make-digits']),
    (['dist_train.sh', DETECTOR, '0'], ["'0'", 'positive number']),
    (['dist_train.sh', DETECTOR], ['usage: tools/dist_train.sh CONFIG N']),
    (['dist_test.sh', DETECTOR, 'x.pth'], ['usage: tools/dist_test.sh CONFIG CHECKPOINT N']),
    (['slurm_train.sh', 'partition'], ['usage: tools/slurm_train.sh']),
    (['slurm_test.sh', 'partition', 'job', 'config'], ['usage: tools/slurm_test.sh'])])
def test_bad_input_is_one_line_from_a_shell_too(command, words, call, tmp_path):
    assert_one_line(call(*command), *words)
    assert list(tmp_path.iterdir()) == []


def test_amp_without_a_gpu(call_here, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert_one_line(call_here('train.py', DETECTOR, '--amp'), '--amp', 'GPU')


def test_config_without_a_backbone(call_here, no_backbone):
    assert_one_line(call_here('train.py', no_backbone), no_backbone, 'no model.backbone')


def test_a_test_in_which_nothing_is_found_says_so(untrained, digits, call_here):
    finished = call_here('test.py', *untrained('detector'), '--cfg-options', *data_options(digits, True),
                         'model.test_cfg.rcnn.score_thr=1.0')
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == (
        'tested: the evaluator gave no metrics: nothing was detected, or format_only is set')


def test_check_finds_nothing_or_the_first_thing_and_writes_nothing(digits, call_here, tmp_path):
    options = ['--cfg-options', *data_options(digits, True)]
    finished = call_here('check.py', DETECTOR, *options)
    assert finished.returncode == 0, finished.stderr
    assert 'nothing found that would keep it from training' in finished.stdout
    finished = call_here('check.py', DETECTOR, *options, f'val_dataloader.dataset.data_root={tmp_path}/none/')
    assert finished.returncode == 2
    assert 'val_dataloader: folder' in finished.stderr
    finished = call_here('check.py', DETECTOR, *options, f'val_evaluator.ann_file={tmp_path}/none.json')
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1].startswith('error: val_evaluator: annotation file ')
    assert f'{tmp_path}/none.json' in finished.stderr
    assert not list(tmp_path.glob('work_dirs'))


@pytest.mark.parametrize(('kind', 'words'), [('missing', 'does not exist'), ('cut', 'cut short'),
                                             ('hostile', 'more than weights')])
@pytest.mark.parametrize('use', ['test', 'resume', 'init_cfg'])
def test_bad_checkpoint(kind, words, use, digits, call_here, repository, tmp_path):
    path, marker = tmp_path / 'bad.pth', tmp_path / 'executed'
    if kind != 'missing':
        extra = touching(marker) if kind == 'hostile' else 0
        torch.save(dict(state_dict=dict(weight=torch.ones(1000)), extra=extra), path)
    if kind == 'cut':
        path.write_bytes(path.read_bytes()[:2000])
    options = ['--cfg-options', *data_options(digits, True)]
    (tmp_path / 'mine.py').write_text(f"_base_ = {str(repository / DETECTOR)!r}\nmodel = dict(backbone=dict("
                                      f"init_cfg=dict(_delete_=True, type='Pretrained', checkpoint={str(path)!r})))\n")
    command = {
        'test': ['test.py', DETECTOR, path, *options],
        'resume': ['train.py', DETECTOR, '--resume', path, *options],
        'init_cfg': ['train.py', tmp_path / 'mine.py', *options],
    }[use]
    assert_one_line(call_here(*command), path, words)
    assert not marker.exists()
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize(('script', 'tool'), [('slurm_train.sh', 'train.py'), ('slurm_test.sh', 'test.py')])
def test_slurm_scripts_pass_everything_to_srun(script, tool, call, tmp_path):
    (tmp_path / 'bin').mkdir()
    srun = tmp_path / 'bin/srun'
    srun.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    finished = call(script, 'part', 'job', 'config.py', 'x.pth', '--work-dir', 'a b', GPUS='4', SRUN_ARGS='--time 1',
                    PATH=f'{tmp_path}/bin:{os.environ["PATH"]}')
    words = finished.stdout.splitlines()
    assert words[:2] == ['-p', 'part']
    assert {'--job-name=job', '--gres=gpu:4', '--ntasks=4', '--ntasks-per-node=4', '--time'} <= set(words)
    assert words[-7].endswith(f'tools/{tool}')
    assert words[-6:] == ['config.py', 'x.pth', '--work-dir', 'a b', '--launcher', 'slurm']
