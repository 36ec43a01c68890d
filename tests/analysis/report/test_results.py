"""Test results, class tables and the environment in the formats of mmengine, mmdet and mmseg."""
from datetime import datetime

from terminaltables import AsciiTable

from dmsca_mm.analysis.report.results import class_table, ended, environment, last_test

SEGMENTED = """2026/11/23 01:20:20 - mmengine - INFO - per class results:
2026/11/23 01:20:20 - mmengine - INFO -
+------------+-------+
|   Class    |  IoU  |
+------------+-------+
| background | 97.52 |
|     0      |  {} |
+------------+-------+
2026/11/23 01:20:20 - mmengine - INFO - Iter(test) [150/150]    mIoU: 73.4200
"""


def test_newest_test_that_can_be_read_is_the_last(write_run, write_test, tmp_path):
    assert last_test(tmp_path) is None
    write_run('20260101_000000', [])
    (tmp_path / 'work/20260101_000000/vis_data/20260101_000000.json').write_text('{"loss": 1}')
    assert last_test(tmp_path / 'work') is None, "a training's file is no test's"
    write_test('20260102_000000', dict(mIoU=1.0))
    write_test('20260103_000000', dict(mIoU=2.0), 'x - mmengine - INFO - Load checkpoint from /a/b/iter_2.pth\n')
    write_test('20260104_000000', '{"mIoU": 3')
    write_test('20260105_000000', '[4]')
    found = last_test(tmp_path / 'work')
    assert (found.run.name, found.checkpoint, found.metrics) == ('20260103_000000', 'iter_2.pth', dict(mIoU=2.0))


def test_a_metric_that_is_a_list_is_skipped_and_not_its_test(write_test, tmp_path):
    write_test('20260101_000000', {'accuracy/top1': 80.0})
    write_test('20260102_000000', {'accuracy/top1': 91.2, 'single-label/recall_classwise': [90.0, 92.0],
                                   'confusion_matrix/result': [[9, 1], [2, 8]], 'note': 'x', 'empty': None})
    assert last_test(tmp_path / 'work').metrics == {'accuracy/top1': 91.2}


def test_last_table_of_classes_is_found_in_the_log_of_mmseg_and_of_mmdet(write_test):
    run = write_test('1', {}, SEGMENTED.format('11.11') + 'between\n| other | table |\n' + SEGMENTED.format('79.01'))
    assert class_table(run) == [['Class', 'IoU'], ['background', '97.52'], ['0', '79.01']]
    rows = [['category', 'mAP', 'mAP_50'], ['cat', '0.5', '0.7'], ['dog', 'nan', 'nan']]
    assert class_table(write_test('2', {}, f'x\n{AsciiTable(rows).table}\ny\n')) == rows
    assert class_table(write_test('3', {}, 'nothing\n')) == []


def test_environment_is_that_of_the_log_without_how_torch_was_compiled(write_run):
    run = write_run('1', [])
    found = environment(run)
    assert list(found) == ['sys.platform', 'Python', 'CUDA_HOME', 'PyTorch', 'OpenCV', 'MMEngine', 'seed', 'processes']
    assert (found['PyTorch'], found['processes']) == ('2.13.0+cpu', '2')
    assert ended(run) == datetime(2026, 11, 23, 0, 42, 27)


def test_run_without_a_log_gives_nothing(tmp_path):
    assert (environment(tmp_path), ended(tmp_path), class_table(tmp_path)) == ({}, None, [])
