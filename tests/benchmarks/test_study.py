"""The study: its runs and their order, and resuming where it stopped."""
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import runs
import studies
import study
from setting import processor
from study_examples import finish, run_of, table_of, write_alignment

from dmsca_mm.errors import Stopped, UsageError

TABLES = dict(thin=studies.STUDIES, full=studies.FULL)


@pytest.mark.parametrize('name', studies.STUDIES)
def test_attentions_are_compared_with_the_plain_network(name):
    names = [each.name for each in studies.STUDIES[name].contenders]
    assert names[0] == 'none'
    assert {'se', 'dmsca', *(studies.COMPARED if f'full_{name}' in studies.FULL else ())} < {*names}
    assert len({*names}) == len(names)


def test_contenders_differ_in_their_attention_alone(tmp_path):
    commands = {}
    for contender in studies.ATTENTIONS:
        run = run_of('detection', contender.name, 1, tmp_path)
        (_, train), (_, test), *aligned = run.steps()
        assert Path(test[0]).name == 'test_robustness.py'
        assert [Path(step[0]).name for _, step in aligned] == ['test_alignment.py'] * (contender.name == 'dmsca')
        assert train.pop(train.index('--plugin') + 1) == contender.plugin
        assert train.pop(train.index('--work-dir') + 1) == str(run.folder)
        commands[contender.name] = train
    assert all(command == commands['none'] for command in commands.values())
    (begin, _), = run_of('detection', 'start', 1, tmp_path).steps()
    assert f'load_from={begin}' in commands['none']
    assert 'randomness.seed=1' in commands['none']


def test_a_recipe_is_the_config_with_one_entry_changed(tmp_path):
    (_, dmsca), *_ = run_of('detection', 'dmsca', 0, tmp_path).steps()
    (_, recipe), (_, test) = run_of('detection', 'rate_3', 0, tmp_path).steps()
    rate = 'optim_wrapper.paramwise_cfg.custom_keys.dmsca.lr_mult=3'
    assert {*recipe} - {*dmsca} == {rate, str(tmp_path / 'detection/rate_3/0')}
    assert rate in test
    (_, train), *_ = run_of('classification', 'dmsca', 0, tmp_path).steps()
    assert not any(entry.startswith('load_from') for entry in train), 'it starts with random weights'


def test_the_published_networks_train_on_all_gpus_with_the_learning_rate_of_their_images(tmp_path):
    plan = replace(studies.FULL['full_segmentation'], seeds=1)
    (start,), runs_ = study.batches({'full_segmentation': plan}, ['none'], tmp_path, set(), gpus=4)
    for run in (start, *runs_):
        (_, train), *tests = run.steps()
        assert train[:5] == ['-m', 'dmsca_mm.runtime.launch', 'tools/train.py', '4', 'configs/upernet_r50_dmsca.py']
        assert {'auto_scale_lr.enable=True', 'auto_scale_lr.base_batch_size=16'} < {*train}
    (_, test), = tests
    assert test[test.index('--processes') + 1] == '4'


def test_the_log_of_a_launched_tool_bears_its_name(tmp_path, monkeypatch):
    run = run_of('detection', 'se', 0, tmp_path)
    monkeypatch.setattr(run, 'steps', lambda: [(tmp_path / 'never', ['-m', 'dmsca_mm.lost', 'tools/train.py', '2'])])
    with pytest.raises(UsageError, match=r'detection/se/0: tools/train.py ended with 1, see .*/train.log'):
        run.go(threading.Event(), set())


def test_the_published_networks_need_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(study.torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setattr(sys, 'argv', ['study', '--full', '--work-dir', str(tmp_path)])
    with pytest.raises(UsageError, match='--full needs a GPU, and this machine has none: leave it out'):
        study.main()


def test_a_contender_with_fewer_seeds_than_its_study_runs_those(tmp_path):
    plan = replace(studies.STUDIES['detection'], seeds=7, hint=None)
    _, every = study.batches({'detection': plan}, ['se', 'rate_3'], tmp_path, set())
    assert [run.seed for run in every if run.contender.name == 'rate_3'] == [0, 1, 2, 3, 4]
    assert [run.seed for run in every if run.contender.name == 'se'] == [0, 1, 2, 3, 4, 5, 6]


def test_a_hint_is_tested_on_seeds_of_its_own_for_both_networks(tmp_path):
    plan = replace(studies.STUDIES['detection'], seeds=2, hint=studies.Hint('none', 'clean', range(5, 7)))
    starts, every = study.batches({'detection': plan}, ['none', 'se', 'dmsca'], tmp_path, set())
    seeds = {name: [run.seed for run in every if run.contender.name == name] for name in ('none', 'se', 'dmsca')}
    assert seeds == dict(none=[0, 1, 5, 6], se=[0, 1], dmsca=[0, 1, 5, 6])
    assert [run.seed for run in starts] == [0, 1, 5, 6]


@pytest.mark.parametrize(('kind', 'name'), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_every_entry_that_a_study_sets_is_one_of_its_config(kind, name, repository, tmp_path):
    from dmsca_mm.runtime.cli import parser as make_parser
    from dmsca_mm.runtime.config import load_config
    parser = make_parser('')
    parser.add_argument('--resume', action='store_true')
    table = TABLES[kind]
    for contender in table[name].contenders:
        (_, command), *_ = run_of(name, contender.name, 0, tmp_path, table).steps()
        chosen = parser.parse_args(command[1:])
        config = load_config(str(repository / chosen.config), chosen.cfg_options, plugin=chosen.plugin)
        assert kind == 'thin' or config.auto_scale_lr.base_batch_size >= 16
        loop = config.train_cfg
        plan = table[name]
        assert loop.get('max_epochs', loop.get('max_iters')) == plan.length
        assert loop.val_interval == plan.length // plan.validations
        assert config.param_scheduler[plan.decay].end == plan.length
        assert 0 < config.default_hooks.checkpoint.interval <= max(1, plan.length // 4), 'a killed run resumes'
        assert len(config.model.backbone.get('plugins') or []) == (contender.name != 'none')


def test_recipes_reach_the_attention(repository):
    """The learning rate and weight decay of a recipe apply to DMSCA's parameters and no others."""
    from mmengine.optim import build_optim_wrapper

    from dmsca_mm.preflight import check_build
    from dmsca_mm.runtime.config import load_config
    recipes = {each.name: each for each in studies.RECIPES}
    config = 'configs/bccd/faster_rcnn_r50_dmsca_bccd.py'
    for name, key, expected in (('rate_3', 'lr', 3e-3), ('rate_10', 'lr', 1e-2), ('no_decay', 'weight_decay', 0.0)):
        options = dict(option.split('=') for option in recipes[name].options)
        cfg = load_config(str(repository / config), {key: float(value) for key, value in options.items()})
        model = check_build(cfg)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        *groups, _ = build_optim_wrapper(model, cfg.optim_wrapper).param_groups  # mmengine adds the last one, a scalar
        usual = 1e-3 if key == 'lr' else 0.05
        assert len(groups) == len(names)
        for group in groups:
            attention = '.dmsca.' in names[id(group['params'][0])]
            assert group[key] == pytest.approx(expected if attention else usual)


def test_what_is_done_is_left_alone_and_a_failure_names_its_log(tmp_path, monkeypatch):
    run = run_of('detection', 'se', 0, tmp_path)
    done, after = tmp_path / 'done', tmp_path / 'after'
    done.touch()
    monkeypatch.setattr(run, 'steps', lambda: [(done, ['-c', 'raise SystemExit(3)']),
                                               (after, ['-c', f'open({str(after)!r}, "w")'])])
    assert not run.is_done()
    run.go(threading.Event(), set())
    assert run.is_done()
    after.unlink()
    done.unlink()
    with pytest.raises(UsageError, match=r'detection/se/0: -c ended with 3, see .*; fix it and run the same command'):
        run.go(threading.Event(), set())


def test_it_stops_in_time_and_ends_those_at_work(tmp_path, monkeypatch):
    every = [run_of('detection', 'se', seed, tmp_path) for seed in range(3)]
    for run in every:
        begun, stopped = (str(tmp_path / f'{name}{run.seed}') for name in ('begun', 'stopped'))
        code = ('import signal, sys, time\n'
                f'signal.signal(signal.SIGTERM, lambda *_: (open({stopped!r}, "w"), sys.exit(1)))\n'
                f'open({begun!r}, "w")\ntime.sleep(60)')
        monkeypatch.setattr(run, 'steps', lambda run=run, code=code: [(tmp_path / f'never{run.seed}', ['-c', code])])
    assert runs.work_through(every, 1, 2) == 0
    assert sorted(path.name for path in tmp_path.glob('*[0-9]')) == ['begun0', 'stopped0']


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_runs_keeps_what_is_finished_and_is_reported(number, monkeypatch, tmp_path):
    class Sleeping:
        def is_done(self):
            return False

        def go(self, stop, running):
            process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
            running.add(process)
            os.kill(os.getpid(), number)
            ended.append(process.wait())

    ended, collected = [], []
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(study, 'batches', lambda *given: [[Sleeping()]])
    monkeypatch.setattr(study, 'collect', lambda *given: collected.append(given))
    monkeypatch.setattr(study, 'check', lambda *given: None)
    monkeypatch.setattr(sys, 'argv', ['study', '--processes', '1', '--work-dir', str(tmp_path)])
    try:
        with pytest.raises(Stopped, match=r'study\.csv holds the finished runs; the same command continues'):
            study.main()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert (ended, len(collected)) == ([-signal.SIGTERM], 1)


def test_a_study_of_another_plan_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['study', '--studies', 'full_detection', '--work-dir', str(tmp_path)])
    with pytest.raises(UsageError, match='--studies full_detection: give some of detection, segmentation, class'):
        study.main()


def test_what_needs_an_unfinished_run_is_not_begun(monkeypatch, tmp_path, capsys):
    """A stop, or the time limit, while the plain networks of a transfer train."""
    begun = []
    monkeypatch.setattr(study, 'work_through', lambda every, *limits: begun.append(every) or len(every) - 1)
    monkeypatch.setattr(study, 'STUDIES', {'detection': replace(studies.STUDIES['detection'], data=str(tmp_path))})
    monkeypatch.setattr(sys, 'argv', ['study', '--studies', 'detection', '--seeds', '2', '--work-dir', str(tmp_path)])
    study.main()
    assert [[run.contender.name for run in every] for every in begun] == [['start', 'start']]
    assert '\n1 of 26 runs are done' in capsys.readouterr().out


@pytest.mark.slow
def test_the_quick_study_leaves_a_row_for_each_run(digit_classes, tmp_path, monkeypatch):
    options = [f'{split}_dataloader.dataset.data_root={digit_classes}' for split in ('train', 'val', 'test')]
    options += [f'{split}_dataloader.dataset.indices=10' for split in ('train', 'val', 'test')]
    plan = replace(studies.QUICK['quick'], data=str(digit_classes), options=tuple(options))
    monkeypatch.setattr(study, 'QUICK', {'quick': plan})
    monkeypatch.setattr(study, 'make_digit_classes', lambda folder: None)
    monkeypatch.setattr(sys, 'argv', ['study', '--quick', '--seeds', '1', '--processes', '2', '--work-dir',
                                      str(tmp_path)])
    study.main()
    rows = pd.read_csv(tmp_path / 'study.csv')
    assert rows.contender.tolist() == ['none', 'dmsca']
    plain, dmsca = rows.parameters
    assert plain < dmsca
    assert rows.clean.between(0, 100).all()


def test_what_the_table_holds_is_not_run_again_nor_the_plain_network_that_only_it_begins_with(tmp_path):
    path, plan = tmp_path / 'study.csv', replace(studies.STUDIES['detection'], seeds=3, hint=None)
    known = table_of(none=[40.0, 41.0], se=[41.0])
    known.to_csv(path, index=False)
    every = study.batches({'detection': plan}, ['none', 'se'], tmp_path, study.recorded(path))
    assert [[(run.contender.name, run.seed) for run in part] for part in every] == [
        [('start', 1), ('start', 2)], [('se', 1), ('none', 2), ('se', 2)]]
    pd.concat([known, table_of(none=[0, 0, 42.0], se=[0, 42.0, 43.0])]).to_csv(path, index=False)
    assert study.batches({'detection': plan}, ['none', 'se'], tmp_path, study.recorded(path)) == []


def test_a_row_holds_what_a_run_left_behind_and_rows_of_other_runs_stay(tmp_path):
    path = tmp_path / 'study.csv'
    table_of(se=[41.0]).to_csv(path, index=False)
    study.collect([finish(tmp_path, 'none', 0), run_of('detection', 'dmsca', 0, tmp_path)], path)
    kept, made = pd.read_csv(path).to_dict('records')
    assert kept['contender'] == 'se'
    assert made == dict(study='detection', contender='none', seed=0, clean=40.0, corrupted=20.0, worst=20.0,
                        channel_spread=0.2, spatial_spread=0.5, activation_spread=0.7, parameters=20,
                        date='2026-11-25', machine=processor())


def test_a_run_collected_twice_has_one_row(tmp_path):
    run = finish(tmp_path, 'none', 0)
    for _ in range(2):
        study.collect([run], tmp_path / 'study.csv')
    assert len(pd.read_csv(tmp_path / 'study.csv')) == 1


def test_the_lowest_of_the_validations_is_unknown_if_one_was_interrupted(tmp_path):
    run = finish(tmp_path, 'none', 0)
    log, = run.folder.glob('*/vis_data/scalars.json')
    log.write_text('\n'.join(log.read_text().splitlines()[:-1]))
    study.collect([run], tmp_path / 'study.csv')
    assert pd.read_csv(tmp_path / 'study.csv').worst.isna().all()


def test_rows_of_finished_runs_stay_when_another_run_fails(tmp_path, monkeypatch):
    def fail(every, *limits):
        finish(tmp_path, 'none', 0)
        raise UsageError('detection/none/1 failed')

    every = [run_of('detection', 'none', seed, tmp_path) for seed in (0, 1)]
    monkeypatch.setattr(study, 'batches', lambda *given: [every])
    monkeypatch.setattr(study, 'check', lambda *given: None)
    monkeypatch.setattr(study, 'work_through', fail)
    monkeypatch.setattr(sys, 'argv', ['study', '--work-dir', str(tmp_path)])
    with pytest.raises(UsageError, match='detection/none/1 failed'):
        study.main()
    assert pd.read_csv(tmp_path / 'study.csv').seed.tolist() == [0]


def test_a_run_without_its_maps_in_the_table_is_not_in_the_table_of_runs(tmp_path, monkeypatch):
    """A stop while the maps are written: the run is collected again, maps included."""
    run = finish(tmp_path, 'dmsca', 0)
    write_alignment(run, 0.5, 0.4)

    def stopped(content, path, remedy):
        if 'alignment' in path.name:
            raise KeyboardInterrupt
        path.write_bytes(content)

    monkeypatch.setattr(study, 'write_atomically', stopped)
    with pytest.raises(KeyboardInterrupt):
        study.collect([run], tmp_path / 'study.csv')
    assert not (tmp_path / 'study.csv').exists()
    monkeypatch.undo()
    study.collect([run], tmp_path / 'study.csv')
    assert len(pd.read_csv(tmp_path / 'study.csv')) == 1
    assert pd.read_csv(tmp_path / 'study_alignment.csv')['map'].tolist() == ['total', 'departure']


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--seeds', '0'], '--seeds is 0, must be above 0'),
    (['--contenders', 'no'], '--contenders no: give some of none, '),
])
def test_wrong_arguments_end_in_one_line(arguments, message, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['study', *arguments])
    with pytest.raises(UsageError, match=message):
        study.main()


def test_missing_data_are_named_before_anything_is_trained(monkeypatch, tmp_path):
    lost = {'detection': replace(studies.STUDIES['detection'], data='data/lost')}
    monkeypatch.setattr(study, 'STUDIES', lost)
    monkeypatch.setattr(sys, 'argv', ['study', '--studies', 'detection', '--work-dir', str(tmp_path)])
    with pytest.raises(UsageError, match=r'data/lost is missing: docs/data\.md has the command'):
        study.main()
