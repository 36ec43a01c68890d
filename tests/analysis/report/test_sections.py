"""Text and tables show what the logs contain."""
from loglines import trained
from mmengine.config import Config

from dmsca_mm.analysis.report import sections
from dmsca_mm.analysis.report.costs import Costs
from dmsca_mm.analysis.report.logs import read_history
from dmsca_mm.analysis.report.results import last_test

COST = Costs((160, 120), (2_000_000, 1_500_000), (40_000_000, 39_000_000))


def test_head_has_the_outcome(history, write_test, tmp_path):
    config = Config(dict(train_cfg=dict(max_epochs=3)))
    assert sections.tiles(history, None, COST, config) == [
        ('0.5', 'coco/bbox_mAP in the last validation'), ('2', 'of 3 epochs; 4 iterations logged'),
        ('0.5', 'final loss; it started at 2'), ('0.5 s', 'per iteration (median)'),
        ('25.0%', "of the backbone's parameters belong to its plugins")]
    write_test('20261124_000000', dict(aAcc=9.0, mIoU=0.4))
    assert sections.tiles(history, last_test(tmp_path / 'work'), None, None)[:2] == [
        ('0.4', 'mIoU in the last test'), ('2', 'epochs; 4 iterations logged')]
    assert sections.subtitle(history, 'name.py') == (
        'Config name.py; began 1 January 2026, 00:00; last line of the log 23 November 2026, 00:42; resumed 1 time(s)')


def test_training_by_iterations_without_a_validation(write_run, tmp_path):
    write_run('anything', [dict(loss=1.0, iter=7, step=7)], log='')
    history = read_history(tmp_path / 'work')
    config = Config(dict(train_cfg=dict(max_iters=9)))
    assert sections.tiles(history, None, None, config) == [('7', 'of 9 iterations'),
                                                           ('1', 'final loss; it started at 1')]
    assert sections.subtitle(history, '') == ''
    found = sections.figures(history, None)
    assert found['metrics'] == []
    assert [word in note for word, note in zip(('not been validated', 'tools/test.py'), found['metric_notes'],
                                               strict=True)] == [True, True]


def test_last_test_is_beside_the_last_validation_and_an_old_one_is_named_so(history, write_test, tmp_path):
    write_test('20260102_000000', {'coco/bbox_mAP': 0.3, 'coco/bbox_mAP_l': -1.0, 'other': 2, 'data_time': 1},
               'Load checkpoint from /a/epoch_1.pth\n| Class | IoU |\n| cat | 0.3 |\n')
    found = sections.figures(history, last_test(tmp_path / 'work'))
    assert found['metric_heads'] == ['last validation', 'last test']
    assert found['metrics'] == [['coco/bbox_mAP', '0.5', '0.3'], ['coco/bbox_mAP_l', '–', '–'], ['other', '', '2']]
    assert found['metric_notes'] == [
        'The last validation came after iteration 4.', 'The last test was of epoch_1.pth.',
        'The test is older than the last run of the training.', '–: the data have no object of this kind.']
    assert (found['classes'], found['classes_of']) == ([['Class', 'IoU'], ['cat', '0.3']], 'test')


def test_a_table_without_figures_is_explained(write_run, tmp_path):
    write_run('20260101_000000', [trained(1), dict(time=0.1, data_time=0.1, step=1)])
    found = sections.figures(read_history(tmp_path / 'work'), None)
    assert (found['metric_heads'], found['metrics']) == (['last validation'], [])
    assert 'They gave no metrics, which happens if a detector finds nothing in any image.' in found['metric_notes']


def test_notes_name_joined_runs_broken_lines_and_a_single_validation(history, write_run, tmp_path):
    assert sections.notes(history) == ['The log is joined from 2 runs; where they overlap, the later one is shown.',
                                       '1 line(s) of the log could not be read and are left out.']
    write_run('20261201_000000', [trained(1), dict(mIoU=0.1, step=1)])
    assert sections.notes(read_history(tmp_path / 'work'))[0].startswith('There was one validation')


def test_parameters_and_multiply_adds_are_a_row_each(history):
    assert sections.cost_rows(None) == []
    assert sections.cost_rows(COST) == [['parameters', '2 M', '1.5 M', '25.0%'],
                                        ['multiply-adds, image of 160×120 pixels', '40 M', '39 M', '2.5%']]
    assert '0.5 s per iteration' in sections.cost_notes(history)[1]


def test_versions_name_every_package():
    found = {name.removeprefix('onedl-') for name, _ in sections.versions()}
    assert {'torch', 'mmengine', 'mmcv', 'mmsegmentation', 'dmsca_mm'} <= found
