"""Tests and tools work with any location and any folder names of the checkout."""
import os
import shutil
import subprocess
import sys

import pytest

OWN = ('benchmarks', 'configs', 'dmsca_mm', 'requirements', 'tests', 'tools')
FOLDERS = ('se', "it's with space", 'dmsca')
"""Names of contenders, and characters that end a word or a string."""
SENSITIVE = ('tests/test_setup.py', 'tests/analysis/report/test_assemble.py',
             'tests/benchmarks/test_study.py::test_contenders_differ_in_their_attention_alone')
"""Tests that compare paths, write them into configs or hand them to a shell."""


@pytest.fixture(scope='module')
def elsewhere(repository, tmp_path_factory):
    """Run a command in a copy of the checkout below ``FOLDERS``."""
    copy = tmp_path_factory.mktemp('elsewhere').joinpath(*FOLDERS)
    for name in OWN:
        shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns('__pycache__'))
    for path in repository.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith('PYTEST_')}

    def run(*command):
        return subprocess.run(command, cwd=copy, text=True, capture_output=True, timeout=300, env={
            **inherited, 'PYTHONPATH': str(copy), 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1'})
    return run


@pytest.mark.slow
def test_tests_pass_under_any_name_of_the_checkout(elsewhere):
    done = elsewhere(sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *SENSITIVE)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['dist_train.sh', 'dist_test.sh'])
def test_shell_tools_find_their_python_tool_under_any_name(tool, elsewhere):
    done = elsewhere(f'tools/{tool}', 'none.py', *(['none.pth'] if 'test' in tool else []), '1')
    assert done.returncode == 2, done.stderr
    assert 'error: config none.py does not exist' in done.stderr
