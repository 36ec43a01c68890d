"""Run commands as a user runs them."""
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from functools import partial
from types import SimpleNamespace

import pytest

PROCESSES = {'call_in', 'own_tool', 'nodes'}
"""Fixtures that start tools in separate processes."""
SMOKE = 'test_two_processes_train_resume_and_test[configs/digits/faster'
"""The one of these tests that is not marked slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start tools as processes as slow: each spends seconds on imports alone."""
    for item in items:
        if PROCESSES & {*getattr(item, 'fixturenames', ())} and not item.name.startswith(SMOKE):
            item.add_marker('slow')


@pytest.fixture(scope='session')
def call_in(repository):
    """Run a tool in a folder; return the finished process."""
    def run(folder, *command, timeout=300, **environment):
        tool, *arguments = [str(word) for word in command]
        arguments = [str(repository / word) if word.startswith('configs/') else word for word in arguments]
        interpreter = [sys.executable] if tool.endswith('.py') else []
        clean = {k: v for k, v in os.environ.items() if k not in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')}
        return subprocess.run([*interpreter, str(repository / 'tools' / tool), *arguments], cwd=folder, text=True,
                              capture_output=True, timeout=timeout,
                              env={**clean, 'PYTHON': sys.executable, **environment})
    return run


@pytest.fixture
def call(call_in, tmp_path):
    """Run a tool in a temporary folder; return the finished process."""
    return partial(call_in, tmp_path)


@pytest.fixture
def call_here(repository, tmp_path):
    """Run a Python tool as a script in a fork of this process, which saves the start-up, if it ends early."""
    def run(tool, *arguments):
        words = [str(repository / word) if str(word).startswith('configs/') else str(word) for word in arguments]
        with tempfile.TemporaryFile('w+') as stdout, tempfile.TemporaryFile('w+') as stderr:
            process = multiprocessing.get_context('fork').Process(
                target=_run_script, args=(repository / 'tools' / tool, words, tmp_path, (stdout, stderr)))
            process.start()
            process.join(120)
            assert process.exitcode is not None, 'hangs'
            stdout.seek(0)
            stderr.seek(0)
            return SimpleNamespace(returncode=process.exitcode, stdout=stdout.read(), stderr=stderr.read())
    return run


def _run_script(path, words, folder, output):
    sys.stdout, sys.stderr = output
    sys.argv = [str(path), *words]
    os.chdir(folder)
    runpy.run_path(str(path), run_name='__main__')
