"""Set-up: its options, the environment that it makes, and what differs between the stacks."""
import hashlib
import shutil
import subprocess

import pytest

FILES = ('requirements/common.txt', 'requirements/cpu.txt', 'pyproject.toml', 'tools/setup.sh')
STACKS = {(): ('.venv', 'requirements.txt'), ('forks',): ('.venv-forks', 'requirements/forks.txt')}
"""What set-up is told, the environment that it makes, and what is in it beside what both share."""


@pytest.fixture
def setup(repository, tmp_path):
    """Runs tools/setup.sh in a copy with stand-in commands first in PATH."""
    checkout, commands = tmp_path / 'checkout', tmp_path / 'commands'
    for folder in ('tools', 'requirements'):
        (checkout / folder).mkdir(parents=True)
    commands.mkdir()
    for name in (*FILES, *(requirements for _, requirements in STACKS.values())):
        shutil.copy(repository / name, checkout / name)

    def run(stand_ins=None, stack=(), **environment):
        for name, line in (stand_ins or {}).items():
            (commands / name).write_text(f'#!/bin/bash\n{line}\n')
            (commands / name).chmod(0o755)
        path = f'{commands}:/usr/bin:/bin'
        return checkout, subprocess.run([checkout / 'tools/setup.sh', *stack], capture_output=True, text=True,
                                        timeout=60, env=dict(PATH=path, **environment))
    return run


PYTHON_311 = '[[ "$2" == *version_info* ]] && echo 3.11 || echo INCLUDE'


@pytest.mark.parametrize(('stand_ins', 'environment', 'words'), [
    ({'old': 'echo 3.8'}, dict(PYTHON='old'), ['Python 3.8 is not supported', '3.11', 'PYTHON=']),
    ({}, dict(PYTHON='none-such'), ['no Python found']),
    ({'py': PYTHON_311}, dict(PYTHON='py', CXX='none-such'), ['no C++ compiler (none-such)', 'apt-get install g++']),
    ({'py': PYTHON_311, 'cc1': ''}, dict(PYTHON='py', CXX='cc1'), ["Python's headers are missing"]),
    ({'py': PYTHON_311, 'cc1': '', 'df': 'printf "head\\nx 1 1 1048576 1 /\\n"'}, dict(PYTHON='py', CXX='cc1'),
     ['too little disk: 1 GiB free']),
    ({'py': PYTHON_311, 'cc1': '', 'nvidia-smi': 'exit 0'}, dict(PYTHON='py', CXX='cc1'), ['GPU but no nvcc'])])
def test_what_cannot_work_is_refused(setup, tmp_path, stand_ins, environment, words):
    if 'headers' not in words[0]:
        (tmp_path / 'Python.h').touch()
        stand_ins = {name: line.replace('INCLUDE', str(tmp_path)) for name, line in stand_ins.items()}
    checkout, finished = setup(stand_ins, **environment)
    assert finished.returncode == 2, finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert all(word in finished.stderr for word in words)
    assert not (checkout / '.venv').exists()


def test_stack_of_another_name_is_refused(setup):
    _, finished = setup(stack=['spoons'])
    assert (finished.returncode, len(finished.stderr.splitlines())) == (2, 1)
    assert 'spoons is no stack' in finished.stderr
    assert 'forks' in finished.stderr


@pytest.mark.parametrize('stack', STACKS)
def test_second_call_does_nothing(stack, setup):
    checkout, finished = setup(stack=stack, PYTHON='none-such')
    assert finished.returncode == 2
    venv, requirements = STACKS[stack]
    (checkout / venv).mkdir()
    content = b''.join((checkout / name).read_bytes() for name in (requirements, *FILES))
    (checkout / venv / 'complete').write_text(f'{hashlib.sha256(content).hexdigest()}  -\n')
    _, finished = setup(stack=stack, PYTHON='none-such')
    assert (finished.returncode, finished.stdout) == (0, '')


def test_pins_of_the_stacks_are_apart_from_what_both_share(repository):
    def pinned(name):
        return {line.split('==')[0] for line in (repository / name).read_text().splitlines() if '==' in line}
    for _, requirements in STACKS.values():
        assert {'numpy'} < pinned(requirements)
        assert not pinned(requirements) & pinned('requirements/common.txt')
