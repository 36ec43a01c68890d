"""``make setup`` refuses in one line what cannot work, before it makes anything."""
import shutil
import subprocess

import pytest

FILES = ('requirements.txt', 'requirements-cpu.txt', 'pyproject.toml', 'tools/setup.sh')


@pytest.fixture
def setup(repository, tmp_path):
    """Runs tools/setup.sh in a copy with stand-in commands first in PATH."""
    checkout, commands = tmp_path / 'checkout', tmp_path / 'commands'
    (checkout / 'tools').mkdir(parents=True)
    commands.mkdir()
    for name in FILES:
        shutil.copy(repository / name, checkout / name)

    def run(stand_ins=None, **environment):
        for name, line in (stand_ins or {}).items():
            (commands / name).write_text(f'#!/bin/bash\n{line}\n')
            (commands / name).chmod(0o755)
        path = f'{commands}:/usr/bin:/bin'
        return checkout, subprocess.run([checkout / 'tools/setup.sh'], capture_output=True, text=True, timeout=60,
                                        env=dict(PATH=path, **environment))
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


def test_second_call_does_nothing(setup):
    checkout, _ = setup(PYTHON='none-such')
    (checkout / '.venv').mkdir()
    files = ' '.join(str(checkout / name) for name in FILES)
    wanted = subprocess.run(f'cat {files} | sha256sum', shell=True, capture_output=True, text=True, check=True).stdout
    (checkout / '.venv/complete').write_text(wanted)
    _, finished = setup(PYTHON='none-such')
    assert (finished.returncode, finished.stdout) == (0, '')
