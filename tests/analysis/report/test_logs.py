"""Logs of a resumed training are joined; unreadable ones are counted or named."""
import json

import pytest

from dmsca_mm.analysis.report.logs import names, read_history, series
from dmsca_mm.errors import UsageError


def line(step, loss=1.0):
    return dict(loss=loss, iter=step, epoch=1, step=step)


def attended(step):
    return {'attention/backbone.layer1.0.dmsca/temperature': 1.0, 'step': step}


def test_resumed_run_continues_the_history_and_counts_where_the_two_overlap(write_run, tmp_path):
    write_run('20260101_000000', [line(10), attended(10), line(20), dict(mAP=0.1, step=1), line(30, 9.0), attended(30)])
    write_run('20260102_000000', [line(30, 3.0), attended(30), line(40, 4.0), dict(mAP=0.2, step=2)])
    history = read_history(tmp_path / 'work')
    assert series(history.of('training'), 'loss') == ([10, 20, 30, 40], [1.0, 1.0, 3.0, 4.0])
    assert [one.iteration for one in history.of('attention')] == [10, 30]
    assert series(history.of('validation'), 'mAP') == ([20, 40], [0.1, 0.2]), 'epochs are at their iterations'
    assert [run.name for run in history.runs] == ['20260101_000000', '20260102_000000']
    assert history.broken == 0


def test_run_that_began_anew_replaces_the_earlier_one(write_run, tmp_path):
    write_run('20260101_000000', [line(10), line(20), dict(mAP=0.1, step=1)])
    write_run('20260102_000000', [line(10, 5.0)])
    history = read_history(tmp_path / 'work')
    assert series(history.lines, 'loss') == ([10], [5.0])
    assert [run.name for run in history.runs] == ['20260102_000000']
    assert names(history.lines) == ['loss', 'iter', 'epoch']


def test_run_that_began_anew_with_another_interval_replaces_the_earlier_one(write_run, tmp_path):
    write_run('20260101_000000', [line(5, 9.0), line(10, 9.0)], config='resume = False\n')
    write_run('20260102_000000', [line(50, 1.0)], config='resume = False\n')
    assert series(read_history(tmp_path / 'work').lines, 'loss') == ([50], [1.0])
    write_run('20260103_000000', [line(100, 2.0)], config='resume = True\n')
    assert series(read_history(tmp_path / 'work').lines, 'loss') == ([50, 100], [1.0, 2.0])


def test_broken_lines_are_left_out_and_counted(write_run, tmp_path):
    cut = json.dumps(line(30))[:12]
    write_run('20260101_000000', [line(10), '3', '{"loss": 1}', '{"step": "x"}', 'null', line(20), cut])
    write_run('20260102_000000', [cut])
    history = read_history(tmp_path / 'work')
    assert series(history.lines, 'loss')[0] == [10, 20]
    assert history.broken == 6


def test_values_that_are_not_finite_are_no_points(write_run, tmp_path):
    write_run('20260101_000000', [line(10, float('nan')), line(20, float('inf')), line(30, 'x'), line(40, 2.0)])
    assert series(read_history(tmp_path / 'work').lines, 'loss') == ([40], [2.0])


@pytest.mark.parametrize(('content', 'words'), [
    (['rubbish', '\x00\x01'], ['scalars.json', 'no line', '2 broken']), ([''], ['no line', '0 broken']),
    ([dict(mAP=0.1, step=1)], ['no line of a training'])])
def test_log_without_a_line_of_a_training_is_named(content, words, write_run, tmp_path):
    write_run('20260101_000000', content)
    with pytest.raises(UsageError) as caught:
        read_history(tmp_path / 'work')
    assert all(word in str(caught.value) for word in words), caught.value


def test_work_directory_that_is_none_is_named(tmp_path):
    with pytest.raises(UsageError, match=r'work directory .*none does not exist'):
        read_history(tmp_path / 'none')
    (tmp_path / 'file').write_text('')
    with pytest.raises(UsageError, match=r'file does not exist or is no folder'):
        read_history(tmp_path / 'file')
    with pytest.raises(UsageError, match=r'holds no log of a training: .*TIMESTAMP/vis_data'):
        read_history(tmp_path)
