"""With one thing broken, a run is refused in one line that names it and leaves no files behind, or it trains."""
import multiprocessing
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from breaking import setup
from commands import DETECTOR, SEGMENTER, data_options
from mmengine.config import DictAction
from mmengine.config import config as mmengine_config

from dmsca_mm.runtime import run
from dmsca_mm.runtime.config import load_config

PATIENCE = 120
PARTS, EACH = 20, 25
REAL = 20
"""One in this many setups runs in a separate process, as does every one that changes the environment."""
_OF_PYTHON = re.compile(r'^\S+:\d+: \w*Warning: .*\n( +.*\n)?', re.MULTILINE)
_AT_WORK = re.compile(r'error: \w+(\.\w+)* (or [\w.]+ )*\(\w+\)')


@pytest.fixture(scope='session')
def settings(repository, digits, tmp_path_factory):
    """Entries of a detector's and a segmenter's config that train for a step and test an image in seconds."""
    for parent in digits.parents[:3]:  # make them readable for every user
        parent.chmod(0o755)
    found = []
    for name in (DETECTOR, SEGMENTER):
        pairs = data_options(digits, name == DETECTOR)
        pairs += [f'{split}_dataloader.{option}' for split in ('train', 'val') for option in (
            'num_workers=0', 'persistent_workers=False', 'dataset.indices=2')]
        pairs += ['train_dataloader.batch_size=2', 'visualizer.vis_backends=[]', 'default_hooks.checkpoint.interval=1',
                  *(['train_cfg.max_epochs=1', 'train_cfg.val_interval=1'] if name == DETECTOR else
                    ['train_cfg.max_iters=1', 'train_cfg.val_interval=1'])]
        options = {key: DictAction._parse_iterable(value) for key, value in (pair.split('=') for pair in pairs)}
        options['visualizer.vis_backends'] = [dict(type='LocalVisBackend')]
        found.append(load_config(str(repository / name), options).to_dict())
    for number, entries in enumerate(found):  # forks then inherit what check imports
        path = tmp_path_factory.mktemp('whole') / f'config_{number}.py'
        write(path, entries)
        run.check(str(path))
    return found


@pytest.fixture
def folder():
    """A folder that every user can read and only its owner can write."""
    path = Path(tempfile.mkdtemp(prefix='broken_'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def run_here(tool, words, one, folder):
    """Run the tool in a fork of this process, with its output in files."""
    def child():
        sys.stdout.flush()
        for number, name in ((1, 'out'), (2, 'err')):
            os.dup2(os.open(folder.parent / f'{folder.name}.{name}', os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
        sys.argv = [str(tool), *words]
        torch.set_num_threads(1)  # a fork has none of its parent's OpenMP threads and would wait for them forever
        os.chdir(folder)
        mmengine_config.FormatCode = lambda text, **_: (text, True)  # saves seconds of formatting that nobody reads
        one.prepare()
        runpy.run_path(str(tool), run_name='__main__')
        sys.stdout.flush()
    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    outputs = [folder.parent / f'{folder.name}.{name}' for name in ('out', 'err')]
    texts = [path.read_text(errors='replace') for path in outputs]
    for path in outputs:
        path.unlink()
    return process.exitcode, *texts


def run_apart(tool, words, one, folder):
    """Run the tool in a separate process."""
    environment = {**{key: value for key, value in os.environ.items() if key not in ('RANK', 'WORLD_SIZE')},
                   **one.environment}
    finished = subprocess.run([sys.executable, str(tool), *words], cwd=folder, capture_output=True, text=True,
                              timeout=PATIENCE, errors='replace',
                              env={key: value for key, value in environment.items() if value is not None})
    return finished.returncode, finished.stdout, finished.stderr


def write(path, entries):
    """Write a config file of these entries."""
    path.write_text(''.join(f'{key} = {value!r}\n' for key, value in entries.items()))


def content(folder):
    """Return all paths below a folder."""
    return {path.relative_to(folder) for path in folder.rglob('*')} if folder.exists() else set()


def verdict(one, code, stdout, stderr, new):
    """Return how a command ended, and what is wrong with that, or None.

    Args:
        one: the setup.
        code: exit code.
        stdout: of the command.
        stderr: of the command.
        new: paths that it left in its folder.
    """
    lines = [line for line in _OF_PYTHON.sub('', stderr).splitlines() if not line.startswith('warning: ')]
    if 'Traceback' in stderr:
        return 'traceback', stderr.strip().splitlines()[-1]
    if code not in one.expected:
        return 'other exit code', f'exit code {code}: {stderr[-300:]}'
    if code == 0:
        return 'trained', None if 'trained: ' in stdout else 'exit code 0 without training'
    if lines and lines[0].startswith('usage: '):
        lines = [f'error: {lines[-1]}']
    if len(lines) != 1 or not lines[0].startswith('error: '):
        return 'not one line', '\n'.join(lines[:5])
    if not any(word in lines[0] for word in one.words) and not _AT_WORK.match(lines[0]):
        return 'names nothing', lines[0]
    if 'the traceback is in' in lines[0] or any(path.suffix == '.log' for path in new):
        return 'ended in one line', None
    return 'refused', f'left {sorted(map(str, new))[:5]}: {lines[0]}' if new else None


def tried(number, settings, folder, repository, apart):
    """Run a setup; return how it ended, what is wrong with that, or None, and what was broken."""
    one = setup(number, settings)
    for name, text in one.files.items():
        path = folder / name
        path.mkdir() if text is None else (path.parent.mkdir(exist_ok=True), path.write_bytes(text))
    write(folder / 'config.py', one.config)
    before = content(folder)
    run = run_apart if apart or one.environment else run_here
    code, stdout, stderr = run(repository / 'tools/train.py', ['config.py', *one.arguments], one, folder)
    end, wrong = verdict(one, code, stdout, stderr, content(folder) - before - {Path('gone'), Path('work')})
    return end, wrong, one.fault


@pytest.mark.parametrize('number', [0, 1, 2, 3, 5, 8, 11, 19, 21, 28, 36, 44, 46, 53, 71])
def test_broken_setup_ends_in_one_line_that_names_it(number, settings, folder, repository):
    _, wrong, fault = tried(number, settings, folder, repository, apart=False)
    assert wrong is None, f'{fault}: {wrong}'


@pytest.mark.soak
@pytest.mark.parametrize('part', range(PARTS))
def test_25_broken_setups_of_500_without_a_traceback(part, settings, repository):
    ends, wrong = Counter(), []
    for number in range(part * EACH, (part + 1) * EACH):
        path = Path(tempfile.mkdtemp(prefix='broken_'))
        path.chmod(0o755)
        try:
            end, mistake, fault = tried(number, settings, path, repository, apart=number % REAL == 0)
        finally:
            shutil.rmtree(path, ignore_errors=True)
        ends[end] += 1
        wrong += [f'{number} {fault}: {end}: {mistake}'] if mistake else []
    print(part, dict(ends), *wrong, sep='\n', flush=True)
    assert not wrong, '\n'.join(wrong)
