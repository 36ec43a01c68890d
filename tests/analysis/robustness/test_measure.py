"""Requested, stored and refused measurements; the processes are mocked here and real in the tool's own tests."""
import json
import shutil
import signal
from pathlib import Path

import pytest

from dmsca_mm.analysis.robustness import measure as module
from dmsca_mm.analysis.robustness.cells import CLEAN
from dmsca_mm.analysis.robustness.measure import measure
from dmsca_mm.errors import Stopped, UsageError
from dmsca_mm.runtime.config import load_config


@pytest.fixture
def play(monkeypatch):
    """Replace the processes by a function of (corruption, severity); return the list of the cells it measured."""
    def install(figures=lambda cell: {'mIoU': 50.0 - 5 * cell[1], 'aAcc': 90.0}):
        worked = []

        def deal(start, tasks, processes):
            for task in tasks:
                found = figures(task)
                worked.append(task)
                yield task, found
        monkeypatch.setattr(module, 'deal', deal)
        return worked
    return install


@pytest.fixture(scope='module')
def segmenter(untrained, digits, tmp_path_factory):
    """Config and checkpoint; the config is a single file because finding its bases takes long."""
    config, weights = untrained('segmenter')
    path = tmp_path_factory.mktemp('config') / 'segmenter.py'
    load_config(config, {'test_dataloader.dataset.data_root': f'{digits}/'}).dump(path)
    return dict(config=str(path), weights=weights)


@pytest.fixture
def ask(segmenter, tmp_path):
    """Measure the segmenter, with the results in a folder."""
    def run(*corruptions, severities=(1,), **options):
        return measure(**{**segmenter, **options}, out=str(tmp_path / 'out'), corruptions=corruptions,
                       severities=severities)
    return run


def test_summary_is_of_what_was_asked_and_later_calls_take_what_is_there(ask, play, tmp_path):
    worked = play()
    found = ask('fog', 'noise', severities=(3, 1))
    assert worked[0] == CLEAN
    assert len(worked) == 1 + 2 * 4
    assert (found.metric, found.unit, found.clean, found.mpc, found.rpc) == ('mIoU', '%', 50.0, 40.0, 0.8)
    worked.clear()
    more = ask('fog', 'snow', severities=(3, 5))
    assert sorted(worked) == [('fog', 5), ('snow', 3), ('snow', 5)]
    assert (more.corruptions, more.severities, more.mpc) == (('snow', 'fog'), (3, 5), 30.0)
    worked.clear()
    assert ask('fog', metric='aAcc').mpc == 90.0
    assert worked == []
    assert json.loads((tmp_path / 'out/robustness.json').read_text())['metric'] == 'aAcc'


def test_what_the_metrics_write_in_the_processes_is_gone_at_the_end(ask, monkeypatch):
    def deal(start, tasks, processes):
        folders.append(Path(start.args[-2]))
        assert folders[-1].is_dir()
        yield from ((task, {'mIoU': 50.0}) for task in tasks)
    folders = []
    monkeypatch.setattr(module, 'deal', deal)
    ask('fog')
    assert [folder.exists() for folder in folders] == [False]


def test_few_images_are_warned_of_with_the_interval(ask, play):
    play()
    found = ask('fog')
    assert found.clean == 50
    assert 'only 5 images. As a share of so many, the figure has the 95 % interval 17.0 to 83.0' in found.warning
    with pytest.raises(UsageError, match='results of another config'):
        ask('fog', images=2)
    assert 'only 2 images.' in ask('fog', images=2, overwrite=True).warning


def test_results_of_another_model_or_data_are_refused_until_overwritten(ask, play, segmenter, tmp_path):
    worked = play()
    ask('fog', 'snow')
    other = tmp_path / 'other.pth'
    other.write_bytes(Path(segmenter['weights']).read_bytes() + b'\0')
    with pytest.raises(UsageError, match=r'results of another checkpoint.*--overwrite'):
        ask('fog', weights=str(other))
    with pytest.raises(UsageError, match='results of another config'):
        ask('fog', cfg_options={'test_dataloader.dataset.pipeline.1.scale': (128, 128)})
    ask('fog', cfg_options={'test_dataloader.num_workers': 0})
    worked.clear()
    ask('fog', weights=str(other), overwrite=True)
    assert worked == [CLEAN, ('fog', 1)]
    assert len(list((tmp_path / 'out/cells').iterdir())) == 2


def test_a_copy_of_the_checkpoint_is_the_same_checkpoint(ask, play, segmenter, tmp_path):
    worked = play()
    ask('fog')
    ask('fog', weights=shutil.copy(segmenter['weights'], tmp_path))
    assert len(worked) == 2


def test_a_model_that_does_not_work_writes_nothing_and_overwrites_nothing(ask, play, tmp_path):
    def fail(cell):
        raise UsageError('no model')
    play(fail)
    with pytest.raises(UsageError, match='no model'):
        ask('fog')
    assert list(tmp_path.iterdir()) == []
    play()
    ask('fog')
    play(fail)
    with pytest.raises(UsageError, match='no model'):
        ask('fog', overwrite=True)
    assert len(list((tmp_path / 'out/cells').iterdir())) == 2


def test_ctrl_c_says_what_is_stored_and_the_next_call_goes_on(ask, play):
    def interrupt(cell):
        if cell[0] == 'fog':
            raise KeyboardInterrupt
        return dict(mIoU=1.0)
    play(interrupt)
    with pytest.raises(Stopped, match=r'2 of 3 tests are stored in .*cells; the same command') as stopped:
        ask('snow', 'fog')
    assert stopped.value.number == signal.SIGINT
    worked = play()
    ask('snow', 'fog')
    assert worked == [('fog', 1)]


def test_a_detector_that_finds_nothing_in_corrupted_images_has_zero_there(ask, play):
    play(lambda cell: {'coco/bbox_mAP': 0.4, 'coco/bbox_mAP_l': None} if cell != ('fog', 2) else {})
    found = ask('fog', severities=(1, 2))
    assert found.cells == {('fog', 1): 0.4, ('fog', 2): 0.0}
    with pytest.raises(UsageError, match='no metric coco/bbox_mAP_l: choose --metric among coco/bbox_mAP'):
        ask('fog', metric='coco/bbox_mAP_l')


@pytest.mark.parametrize(('figures', 'words'), [
    ({}, 'finds nothing on the clean images'),
    (dict(PQ=1.0), 'no metric coco/bbox_mAP, mIoU, accuracy/top1: choose --metric among PQ'),
    ('holes', 'mIoU is not a number for fog of severity 1')])
def test_metrics_that_do_not_compare_are_told(figures, words, ask, play):
    play(lambda cell: dict(mIoU=1.0 if cell == CLEAN else None) if figures == 'holes' else figures)
    with pytest.raises(UsageError, match=words):
        ask('fog')


@pytest.mark.parametrize(('options', 'words'), [
    (dict(corruptions=['rain']), "unknown corruption 'rain'"), (dict(severities=(6,)), 'severity 6 does not exist'),
    (dict(processes=0), '--processes 0 must be at least 1'), (dict(weights='none.pth'), 'none.pth does not exist'),
    (dict(config='none.py'), 'none.py does not exist'),
    (dict(cfg_options={'test_evaluator': None}), 'no test_dataloader and test_evaluator'),
    (dict(cfg_options={'test_dataloader.dataset.pipeline.0.type': 'Resize'}), 'no pipeline that loads an image'),
    (dict(cfg_options={'test_dataloader.dataset.data_root': 'none/'}), 'none/.* does not exist')])
def test_bad_input_is_refused_before_anything_is_written(options, words, ask, tmp_path):
    with pytest.raises(UsageError, match=words):
        ask(*options.pop('corruptions', ['fog']), **options)
    assert list(tmp_path.iterdir()) == []
