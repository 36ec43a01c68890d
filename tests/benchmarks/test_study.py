"""The study: its runs and their order, resuming where it stopped, and the evaluation of its results."""
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import runs
import studies
import study
import study_alignment
import study_page
import study_results
import torch
from measure import processor
from scipy.stats import t as student

from dmsca_mm.errors import UsageError

COLUMNS = dict(worst=0.0, gate_spread=0.1, parameters=100, date='2026-11-25', machine='a Xeon')


def run_of(name, contender, seed, work, table=studies.STUDIES):
    plan = table[name]
    every = {each.name: each for each in (*plan.contenders, studies.Contender('start', 'start', 'none'))}
    return study.Run(name, plan, every[contender], seed, work)


def table_of(**clean):
    """A table of runs of the detection study, with each contender's clean results by seed."""
    return pd.DataFrame([dict(study='detection', contender=name, seed=seed, clean=value, corrupted=value / 2, **COLUMNS)
                         for name, values in clean.items() for seed, value in enumerate(values)])


@pytest.mark.parametrize('name', studies.STUDIES)
def test_every_attention_is_compared_with_the_plain_network(name):
    names = [each.name for each in studies.STUDIES[name].contenders]
    assert names[0] == 'none'
    assert {*studies.COMPARED, 'dmsca'} < {*names}
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


def test_a_contender_with_fewer_seeds_than_its_study_runs_those(tmp_path):
    plan = replace(studies.STUDIES['detection'], seeds=7)
    _, every = study.batches({'detection': plan}, ['se', 'rate_3'], tmp_path, set())
    assert [run.seed for run in every if run.contender.name == 'rate_3'] == [0, 1, 2, 3, 4]
    assert [run.seed for run in every if run.contender.name == 'se'] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize('table', [studies.STUDIES, studies.FULL], ids=['thin', 'full'])
@pytest.mark.parametrize('name', studies.STUDIES)
def test_every_entry_that_a_study_sets_is_one_of_its_config(name, table, repository, tmp_path):
    from dmsca_mm.runtime.cli import parser as make_parser
    from dmsca_mm.runtime.config import load_config
    parser = make_parser('')
    parser.add_argument('--resume', action='store_true')
    for contender in table[name].contenders:
        (_, command), *_ = run_of(name, contender.name, 0, tmp_path, table).steps()
        chosen = parser.parse_args(command[1:])
        config = load_config(str(repository / chosen.config), chosen.cfg_options, plugin=chosen.plugin)
        loop = config.train_cfg
        assert loop.get('max_epochs', loop.get('max_iters')) == table[name].length
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


def finish(work, contender, seed):
    """Write the files that a run of the detection study leaves behind."""
    run = run_of('detection', contender, seed, work)
    run.robustness.parent.mkdir(parents=True)
    run.robustness.write_text(json.dumps(dict(metric='coco/bbox_mAP', clean=0.4, mpc=0.2, date='2026-11-25')))
    log = run.folder / '20261125_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(map(json.dumps, (
        {'iter': 50, 'loss': 1.0, 'step': 50},
        {'attention/backbone.layer1.0.dmsca/gate_spread': 0.1, 'attention/backbone.layer1.1.dmsca/gate_spread': 0.3,
         'attention/backbone.layer1.1.dmsca/channel_spread': 9.0, 'step': 50},
        {'coco/bbox_mAP': 0.3, 'step': 1}, {'coco/bbox_mAP': 0.2, 'step': 2}, {'coco/bbox_mAP': 0.4, 'step': 3}))))
    torch.save(dict(state_dict={'conv': torch.zeros(20), 'bn.running_mean': torch.zeros(5)}), run.weights)
    return run


def test_what_the_table_holds_is_not_run_again_nor_the_plain_network_that_only_it_begins_with(tmp_path):
    path, plan = tmp_path / 'study.csv', replace(studies.STUDIES['detection'], seeds=3)
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
                        gate_spread=0.2, parameters=20, date='2026-11-25', machine=processor())


def test_differences_are_paired_and_their_interval_is_students():
    found = study_results.compare(table_of(none=[40, 50, 30], dmsca=[44, 52, 36], se=[41]))
    line = found[(found.contender == 'dmsca') & (found.quantity == 'clean')].iloc[0]
    assert line['mean'] == pytest.approx(4)
    assert line.half == pytest.approx(student.ppf(0.975, 2) * 2 / 3 ** 0.5)
    assert {*found.contender} == {'dmsca'}, 'one seed has no interval'


def test_holm_multiplies_the_smallest_p_by_all_the_next_by_one_less():
    corrected = study_results.holm(pd.Series([0.04, 0.01, 0.03, float('nan')], list('abcd')), 3)
    assert corrected[:3].to_dict() == pytest.approx(dict(a=0.06, b=0.03, c=0.06))
    assert corrected[3:].isna().all()
    assert study_results.holm(pd.Series([0.9, 0.8]), 2).tolist() == [1, 1]


def test_contenders_that_have_not_run_count_in_the_correction():
    found = study_results.compare(table_of(none=[40, 50, 30], dmsca=[44, 52, 36]))
    family = len(studies.ATTENTIONS) - 1
    assert (found.corrected == (family * found.p).clip(upper=1)).all()


def write_page(folder, monkeypatch, rows):
    rows.to_csv(folder / 'study.csv', index=False)
    monkeypatch.setattr('sys.argv', ['study_page', '--results', str(folder / 'study.csv'),
                                     '--picture', str(folder / 'study.png'), '--page', str(folder / 'page.md')])
    study_page.main()
    return (folder / 'page.md').read_text()


def test_the_page_begins_with_dmsca_and_names_whom_a_difference_was_found_for(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=[44, 50, 27], se=[41, 51.1, 31.1]))
    answer = text[:text.index('![')]
    assert 'DMSCA +0.33 ±' in answer
    assert 'no difference found' in answer
    assert 'Against SE -0.73 ±' in answer
    assert 'Found of the others: SE +1.07 ± 0.14.' in answer
    assert text.splitlines()[2].startswith('These runs found no difference between DMSCA and')
    assert (tmp_path / 'study.png').stat().st_size > 5000


@pytest.mark.parametrize(('dmsca', 'verdict'), [([41.0, 51.1, 31.1], 'better'), ([39.0, 48.9, 28.9], 'worse')])
def test_the_page_begins_with_the_verdict(dmsca, verdict, tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=dmsca))
    assert text.splitlines()[2] == f'Against the plain network DMSCA was {verdict} in detection:'


def test_the_page_states_how_low_the_validations_of_a_training_were(tmp_path, monkeypatch):
    rows = table_of(none=[40, 50, 30], dmsca=[44, 50, 27])
    rows['worst'] = [30, 40, 20, 33, 38, 20]
    text = write_page(tmp_path, monkeypatch, rows)
    assert 'lay between 20.0 and 38.0, ' in text
    assert 'between 20.0 and 40.0.' in text


def test_the_table_on_the_page_has_means_differences_and_the_price(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50], se=[41, 51.5]))
    train, inference = study_results.costs()['se']
    line = next(line for line in text.splitlines() if line.startswith('| SE | 2 |'))
    assert line.startswith('| SE | 2 | 46.25 | +1.25 ± 3.18 |')
    assert line.endswith(f'| 1.000 | {train:.2f}; {inference:.2f} |')


def test_a_page_without_runs_shows_the_plan(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, pd.DataFrame(columns=study_results.ORDER))
    assert study_page.NONE in text
    assert '12 epochs plain, then 4 epochs' in text


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


def test_a_page_of_no_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['study_page', '--results', str(tmp_path / 'study.csv')])
    with pytest.raises(UsageError, match=r'study.csv does not exist: python benchmarks/study.py makes it'):
        study_page.main()


def test_the_page_in_docs_is_that_of_the_table_of_runs(repository):
    rows = pd.read_csv(repository / 'benchmarks/results/study.csv')
    maps = study_alignment.read_maps(repository / 'benchmarks/results/study.csv')
    assert study_page.page(rows, study_results.compare(rows), maps) == (repository / 'docs/study.md').read_text()


def write_alignment(run, precision, area):
    """Write what the tool leaves behind: two maps of one stage, over all objects and over the small ones."""
    run.alignment.parent.mkdir(parents=True)
    rows = [dict(map=kind, stage=1, size=size, precision=precision if size == 'all' else 0.0, area=area)
            for kind in ('total', 'departure') for size in ('all', 'small')]
    run.alignment.write_text(json.dumps(dict(rows=rows)))


def test_the_page_compares_the_maps_over_all_objects_with_a_random_map(tmp_path, monkeypatch):
    runs_ = [finish(tmp_path, 'dmsca', seed) for seed in (0, 1)]
    for run, precision in zip(runs_, (0.5, 0.7), strict=True):
        write_alignment(run, precision, 0.4)
    study.collect(runs_, tmp_path / 'study.csv')
    text = write_page(tmp_path, monkeypatch, pd.read_csv(tmp_path / 'study.csv'))
    half = student.ppf(0.975, 1) * 0.1
    assert '| | stage 1 |' in text
    assert '2 seeds' in text
    assert 'a random map has 0.400.' in text
    assert f'| total | 0.60 ± {half:.2f} |' in text


def test_a_recipe_is_compared_with_dmsca_too(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=[44, 50, 27], rate_3=[45, 52]))
    half = student.ppf(0.975, 1) * 0.5
    assert f'| learning rate × 3 | 2 | +1.50 ± {half:.2f} | +0.75 ± {half / 2:.2f} |' in text
