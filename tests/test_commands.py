"""The command ``dmsca``: a verb for each tool."""
import os
import subprocess
import sys

import pytest

from dmsca_mm import commands
from dmsca_mm.errors import UsageError

OF_A_CHECKOUT = {'setup', 'demo', 'draw_imports', 'slurm_run', 'slurm_train', 'slurm_test'}
"""Tools without a verb: they set up or describe a checkout, or are called by a scheduler that wants a path."""


def call(*words, **environment):
    return subprocess.run([sys.executable, '-W', 'ignore', '-m', 'dmsca_mm', *words], capture_output=True, text=True,
                          timeout=120, env={**os.environ, **environment})


def test_every_tool_has_a_verb_and_every_verb_a_tool(repository):
    tools = {path.stem for path in (repository / 'tools').iterdir() if path.suffix in ('.py', '.sh')} - OF_A_CHECKOUT
    assert {verb.replace('-', '_') for verb in commands.VERBS} == tools | {commands.DOCTOR}


def test_help_names_the_verbs(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['dmsca', '--help'])
    commands.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == [*commands.VERBS]


def test_without_a_verb_the_doctor_reports(monkeypatch):
    monkeypatch.setattr(commands.doctor, 'main', lambda: 7)
    monkeypatch.setattr(sys, 'argv', ['dmsca'])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 7


def test_unknown_verb_is_refused():
    with pytest.raises(UsageError, match=r'spoon.*train.*--help'):
        commands.run('spoon', [])


def test_verb_is_its_tool():
    finished = call('check', '--help')
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith('usage: dmsca check ')
    finished = call('train', 'none_such.py')
    assert (finished.returncode, len(finished.stderr.splitlines())) == (2, 1)
    assert 'none_such.py does not exist' in finished.stderr


def test_verb_of_a_shell_script_uses_this_python():
    finished = call('dist-train', 'none_such.py', '1', PYTHON='none-such')
    assert finished.returncode == 2
    assert 'none_such.py does not exist' in finished.stderr
    assert 'usage: tools/dist_train.sh CONFIG N' in call('dist-train').stderr
