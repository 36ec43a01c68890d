"""The study: what it runs and in which order, going on where it stopped, and the page of what came out."""
import csv
import json
import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dmsca_mm.errors import UsageError


@pytest.fixture
def study(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / 'benchmarks'))
    for name in ('study', 'study_rows', 'study_picture', 'study_page', 'draw'):
        sys.modules.pop(name, None)
    import study
    import study_page
    import study_rows
    return SimpleNamespace(run=study, rows=study_rows, page=study_page)


def finish(study, work, task, contender, seed, clean, corrupted):
    """Leaves behind what a run leaves behind."""
    run = study.run.Run(task, contender, seed, work, Path('data'))
    for name, content in (('robustness', dict(unit='%' if task == 'segmentation' else '', clean=clean, mpc=corrupted,
                                              rpc=corrupted / clean)),
                          ('alignment', dict(rows=[dict(map='Grad-CAM', size='all', precision=0.25),
                                                   dict(map='Grad-CAM', size='all', precision=0.75),
                                                   dict(map='total', size='all', precision=0.0)]))):
        path = run.folder / name / f'{name}.json'
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    tensors = {'conv': 20, 'bn.running_mean': 5, **({} if contender == 'none' else {'layer1.0.dmsca.gce.fc1.weight': 7,
                                                              'layer1.0.dmsca.aa.conv.weight': 3})}
    torch.save(dict(state_dict={name: torch.zeros(size) for name, size in tensors.items()}),
               run.folder / run.task.weights(run.task.length))


def test_all_attentions_and_every_part_removed_are_compared(study):
    assert study.run.CONTENDERS[0] == 'none'
    assert {'se', 'eca', 'cbam', 'ca', 'dmsca', 'dmsca_paper'} < set(study.run.CONTENDERS)
    assert sum('without' in name for name in study.run.CONTENDERS) == 6


def test_contenders_share_start_seed_schedule_and_data(study, tmp_path):
    commands = {}
    for contender in study.run.CONTENDERS:
        run = study.run.Run('detection', contender, 1, tmp_path, Path('data'))
        (_, train), *tests = run.steps()
        assert train.pop(train.index('--plugin') + 1) == contender
        assert train.pop(train.index('--work-dir') + 1) == str(run.folder)
        commands[contender] = train
        assert [Path(command[0]).name for _, command in tests] == ['test_robustness.py', 'test_alignment.py']
    assert all(command == commands['none'] for command in commands.values())
    start, = study.run.Run('detection', 'start', 1, tmp_path, Path('data')).steps()
    assert f'load_from={start[0]}' in commands['none']
    assert 'randomness.seed=1' in commands['none']


def test_the_training_is_one_that_the_tools_take(study, untrained, digits, tmp_path):
    """Every entry that the study sets is an entry of the configs."""
    from dmsca_mm.runtime import cli, run
    for task, kind in (('detection', 'detector'), ('segmentation', 'segmenter')):
        one = study.run.Run(task, 'se', 0, tmp_path / 'work', digits)
        one.start.parent.mkdir(parents=True)
        shutil.copy(untrained(kind, 'none')[1], one.start)
        parser = cli.parser('')
        parser.add_argument('--resume', nargs='?', const='auto')
        (_, command), *_ = one.steps()
        values = vars(parser.parse_args(command[1:]))
        run.check(values['config'], values['cfg_options'], plugin=values['plugin'], work_dir=values['work_dir'])


def test_what_is_done_is_left_alone_and_a_failure_names_its_log(study, tmp_path, monkeypatch):
    run = study.run.Run('detection', 'se', 0, tmp_path, Path('data'))
    done, after = tmp_path / 'done', tmp_path / 'after'
    done.touch()
    monkeypatch.setattr(run, 'steps', lambda: [(done, ['-c', 'raise SystemExit(3)']),
                                               (after, ['-c', f'open({str(after)!r}, "w")'])])
    assert not run.is_done()
    run.go(threading.Event(), set())
    assert run.is_done()
    after.unlink()
    done.unlink()
    with pytest.raises(UsageError, match=r'detection/se/0: -c ended with 3, see .*; the same command goes on'):
        run.go(threading.Event(), set())


def test_it_stops_in_time_and_tells_those_at_work(study, tmp_path, monkeypatch):
    runs = [study.run.Run('detection', 'se', seed, tmp_path, Path('data')) for seed in range(3)]
    for run in runs:
        begun, told = (str(tmp_path / f'{name}{run.seed}') for name in ('begun', 'told'))
        code = ('import signal, sys, time\n'
                f'signal.signal(signal.SIGTERM, lambda *_: (open({told!r}, "w"), sys.exit(1)))\n'
                f'open({begun!r}, "w")\ntime.sleep(60)')
        monkeypatch.setattr(run, 'steps', lambda run=run, code=code: [(tmp_path / f'never{run.seed}', ['-c', code])])
    assert study.run.study(runs, 1, 2) == 0
    assert sorted(path.name for path in tmp_path.glob('*[0-9]')) == ['begun0', 'told0']


def write(study, folder, monkeypatch):
    monkeypatch.setattr('sys.argv', ['study_page', '--work-dir', str(folder), '--results', str(folder), '--page',
                                     str(folder / 'page.md')])
    study.page.main()
    return (folder / 'page.md').read_text()


def test_page_table_and_picture_hold_the_paired_differences(study, tmp_path, monkeypatch):
    for seed, (plain, other) in enumerate([(0.40, 0.44), (0.50, 0.52), (0.30, 0.36)]):
        finish(study, tmp_path, 'detection', 'none', seed, plain, plain / 2)
        finish(study, tmp_path, 'detection', 'dmsca', seed, other, other / 2)
    finish(study, tmp_path, 'segmentation', 'none', 0, 70.0, 35.0)
    text = write(study, tmp_path, monkeypatch)
    assert '| plain | 3 | 0.400 ± 0.100 | 0.200 ± 0.050 | 0.500 ± 0.000 | 0.500 ± 0.000 | 1.0000 | 1.00, 1.00 |' in text
    assert '| DMSCA | 3 | 0.440 ± 0.080 (+0.040 ± 0.020) | 0.220 ± 0.040 (+0.020 ± 0.010) |' in text
    assert '| 1.5000 |' in text
    assert '| plain | 1 | 0.700 | 0.350 | 0.500 | 0.500 | 1.0000 |' in text
    assert '7 runs' in text
    with (tmp_path / 'study.csv').open(newline='') as file:
        assert [float(row['clean']) for row in csv.DictReader(file)] == [0.4, 0.5, 0.3, 0.44, 0.52, 0.36, 0.7]
    assert (tmp_path / 'study.png').stat().st_size > 5000


def test_a_part_is_compared_with_the_whole_and_its_parameters_are_not_counted(study, tmp_path, monkeypatch):
    for contender, clean in (('none', 0.1), ('dmsca', 0.4), ('dmsca_without_gce', 0.3)):
        finish(study, tmp_path, 'detection', contender, 0, clean, clean)
    text = write(study, tmp_path, monkeypatch)
    share = (20 + 3) / (20 + 7 + 3)
    same = '1.000 (+0.000) | 0.500 (+0.000)'
    assert f'| without GCE | 1 | 0.300 (-0.100) | 0.300 (-0.100) | {same} | {share:.4f} |' in text


def test_only_differences_beyond_their_interval_are_called_found(study, tmp_path, monkeypatch):
    """With two seeds, Student's t is 12.706: the half of the interval is 12.706 · std / √2."""
    for seed, (se, eca) in enumerate([(0.50, 0.50), (0.51, 0.60)]):
        finish(study, tmp_path, 'detection', 'none', seed, 0.4, 0.4)
        finish(study, tmp_path, 'detection', 'se', seed, se, 0.4)
        finish(study, tmp_path, 'detection', 'eca', seed, eca, 0.4)
    text = write(study, tmp_path, monkeypatch)
    assert f'| detection, clean | SE +0.105 ± {12.706 * 0.01 / 2:.3f} | ' in text
    assert '| detection, corrupted | none | 0.000 |' in text
    assert 'Of 8 differences, 2 have' in text, 'the other is the relative one of SE'


def test_page_of_nothing_is_refused(study, tmp_path, monkeypatch):
    monkeypatch.setattr('sys.argv', ['study_page', '--work-dir', str(tmp_path)])
    with pytest.raises(UsageError, match='no run of a study is done'):
        study.page.main()
