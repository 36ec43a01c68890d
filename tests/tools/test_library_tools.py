"""mmdet's and mmseg's own tools train, test and resume a config that imports the package."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import DETECTOR, SEGMENTER, short_run
from hostile import touching

from dmsca_mm.compat import forks

RUNS = {'mmdet': (DETECTOR, 'epoch_1.pth', 'epoch_2.pth', 'bbox_mAP'),
        'mmseg': (SEGMENTER, 'iter_1.pth', 'iter_2.pth', 'mIoU')}


@pytest.fixture
def own_tool(repository, tmp_path, digits):
    """Run a library's own tool, or the one at a path, on the built-in digits; return the finished process."""
    def run(library, tool, *words, length=1):
        path = Path(importlib.util.find_spec(library).origin).parent / '.mim/tools' / tool
        options = [*short_run(digits, library == 'mmdet', length), 'train_dataloader.num_workers=0',
                   'train_dataloader.persistent_workers=False']
        return subprocess.run([sys.executable, path, repository / RUNS[library][0], *words, *options], cwd=tmp_path,
                              capture_output=True, text=True, timeout=300, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    return run


@pytest.mark.parametrize('library', list(RUNS))
def test_librarys_own_tools_train_test_and_resume(library, own_tool, repository, tmp_path):
    _, first, second, metric = RUNS[library]
    work = tmp_path / 'work'
    trained = own_tool(library, 'train.py', '--work-dir', work)
    assert trained.returncode == 0, trained.stderr
    tested = own_tool(library, 'test.py', work / first, '--work-dir', tmp_path / 'test')
    assert tested.returncode == 0, tested.stderr
    assert metric in tested.stdout + tested.stderr
    resumed = own_tool(library, 'train.py', '--work-dir', work, '--resume', length=2)
    assert resumed.returncode == 0, resumed.stderr
    assert (work / second).exists()
    steps = [next(iter(torch.load(work / name)['optimizer']['state'].values()))['step'] for name in (first, second)]
    assert steps[1] == 2 * steps[0], 'the optimizer went on where it stood'
    taken_over = own_tool(library, repository / 'tools/train.py', '--work-dir', work, '--resume', length=3)
    assert taken_over.returncode == 0, taken_over.stderr
    changes = [line.split(': ')[1] for line in taken_over.stderr.splitlines() if line.startswith('warning: ')]
    assert 'the checkpoint is from another tool' in changes
    assert [line for line in changes if ' was ' in line] == [
        f'train_cfg.max_{"epochs" if library == "mmdet" else "iters"} was 2 and is 3']


@pytest.mark.parametrize(('library', 'inferencer'), [('mmdet', 'DetInferencer'), ('mmseg', 'MMSegInferencer')])
def test_librarys_inferencer_takes_what_a_training_here_leaves_behind(library, inferencer, own_tool, repository, digits,
                                                                      tmp_path):
    work = tmp_path / 'work'
    trained = own_tool(library, repository / 'tools/train.py', '--work-dir', work)
    assert trained.returncode == 0, trained.stderr
    image = next((digits / 'images/validation').iterdir())
    script = (f'import sys; from {library}.apis import {inferencer}\n'
              f'print(sorted({inferencer}(*sys.argv[1:3], device="cpu")(sys.argv[3])))')
    words = [next(work.glob('*.py')), work / RUNS[library][1], image]
    found = subprocess.run([sys.executable, '-c', script, *words], cwd=tmp_path, capture_output=True, text=True,
                           timeout=300)
    assert "'predictions'" in found.stdout, found.stderr


@pytest.mark.skipif(forks.installed('onedl-mmengine'), reason='that of the forks executes it: docs/installation.md')
@pytest.mark.parametrize('library', list(RUNS))
def test_librarys_own_tool_refuses_a_hostile_checkpoint(library, own_tool, tmp_path):
    torch.save(dict(state_dict={}, extra=touching(tmp_path / 'executed')), tmp_path / 'bad.pth')
    tested = own_tool(library, 'test.py', tmp_path / 'bad.pth', '--work-dir', tmp_path / 'test')
    assert tested.returncode != 0
    assert 'UnpicklingError' in tested.stderr
    assert not (tmp_path / 'executed').exists()
