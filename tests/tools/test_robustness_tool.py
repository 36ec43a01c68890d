"""tools/test_robustness.py as a user runs it: real processes, a detector and a segmenter, Ctrl-C, and resuming."""
import json
import os
import signal
import sys

import pytest
from commands import DETECTOR, SEGMENTER, assert_one_line, data_options, own_lines
from processes import finished, started, wait_for

from dmsca_mm.analysis.robustness.measure import measure


def test_detector_in_two_processes(untrained, digits, call, tmp_path):
    run = call('test_robustness.py', DETECTOR, untrained('detector')[1], '--corruptions', 'contrast', 'frost',
               '--severities', 4, '--processes', 2, '--cfg-options', *data_options(digits, True))
    assert run.returncode == 0, run.stderr
    *rows, _, warning, last = own_lines(run)
    assert warning.startswith('Warning: only 5 images. As a share of so many, the figure has the 95 % interval')
    assert rows[0].startswith('| group'), 'nothing else on standard output'
    assert [row.split()[3] for row in rows[2:5]] == ['frost', 'contrast', 'mean']
    folder = tmp_path / 'work_dirs/faster_rcnn_r50_dmsca_digits/robustness'
    assert last.endswith(f'robustness.md, .png and .json in {folder.relative_to(tmp_path)}')
    assert {path.name for path in folder.iterdir()} == {'cells', 'robustness.json', 'robustness.md', 'robustness.png'}
    found = json.loads((folder / 'robustness.json').read_text())
    assert set(found['cells']) == {'frost', 'contrast'}
    assert found['metric'] == 'coco/bbox_mAP'
    assert 'coco/bbox_mAP_50' in found['cells']['frost']['4']
    assert '1/3' in run.stderr
    bar = [line for line in run.stderr.splitlines() if line.strip()]  # each state of the bar is a line
    assert all(line.startswith('corruptions:') for line in bar), run.stderr


def test_more_images_than_there_are_is_one_line(untrained, digits, call_here, tmp_path):
    run = call_here('test_robustness.py', DETECTOR, untrained('detector')[1], '--images', 6, '--cfg-options',
                    *data_options(digits, True))
    assert_one_line(run, '--images 6: the test data have 5, give 1 to 5')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_segmenter_is_stopped_by_ctrl_c_and_goes_on(untrained, digits, repository, tmp_path):
    _, weights = untrained('segmenter')
    command = [sys.executable, repository / 'tools/test_robustness.py', repository / SEGMENTER, weights,
               '--corruptions', 'fog', '--severities', 1, 2, 3, '--processes', 1, '--out', tmp_path / 'out',
               '--cfg-options', *data_options(digits, False)]
    cells = tmp_path / 'out/cells'
    process = started(command)
    assert wait_for(lambda: list(cells.glob('*.json')), process)

    os.killpg(process.pid, signal.SIGINT)
    code, output = finished(process)
    assert code == 128 + signal.SIGINT
    there = {path: path.stat().st_mtime_ns for path in cells.iterdir()}
    assert 1 <= len(there) < 4
    assert output.splitlines()[-1] == (f'stopped: {len(there)} of 4 tests are stored in {cells}; the same command '
                                       'continues with the rest')
    assert 'Traceback' not in output
    measure(str(repository / SEGMENTER), weights, str(tmp_path / 'out'), ['fog'], [1, 2, 3], processes=1,
            cfg_options={'test_dataloader.dataset.data_root': f'{digits}/'})
    assert len(list(cells.iterdir())) == 4
    assert {path: path.stat().st_mtime_ns for path in there} == there, 'what was there is not done again'
    assert 'mIoU (%): clean' in (tmp_path / 'out/robustness.md').read_text()
