"""Setup: its options, the environment that it makes, and the pins of each stack and Python."""
import fcntl
import hashlib
import shutil
import subprocess

import pytest
from packaging.requirements import Requirement
from processes import wait_for

STACKS = {'upstream': 'requirements.txt', 'forks': 'requirements/forks.txt'}
SHARED = 'requirements/common.txt', 'requirements/python3.10.txt', 'requirements/cpu.txt'


@pytest.fixture
def setup(repository, tmp_path):
    """Run tools/setup.sh in a copy with stand-in commands first in PATH."""
    checkout, commands = tmp_path / 'checkout', tmp_path / 'commands'
    checkout.mkdir()
    for name in ('requirements', 'tools'):
        shutil.copytree(repository / name, checkout / name)
    for name in ('requirements.txt', 'pyproject.toml'):
        shutil.copy(repository / name, checkout)
    commands.mkdir()

    def run(stand_ins=None, **environment):
        for name, line in (stand_ins or {}).items():
            (commands / name).write_text(f'#!/bin/bash\n{line}\n')
            (commands / name).chmod(0o755)
        path = f'{commands}:/usr/bin:/bin'
        return checkout, subprocess.run([checkout / 'tools/setup.sh'], capture_output=True, text=True, timeout=60,
                                        env=dict(PATH=path, **environment))
    return run


def python(version):
    """A shell line that stands in for an interpreter and ends setup when asked to make an environment."""
    return f'case "$2" in *version_info*) echo {version} ;; *paths*) echo INCLUDE ;; *) echo "$@" >&2; exit 7 ;; esac'


@pytest.mark.parametrize(('stand_ins', 'environment', 'words'), [
    ({'old': python(3.8)}, dict(PYTHON='old'), ['Python 3.8 is not supported', '3.10 to 3.13', 'PYTHON=']),
    ({'new': python(3.14)}, dict(PYTHON='new'), ['Python 3.14 is not supported', '3.10 to 3.13', 'PYTHON=']),
    ({}, dict(PYTHON='none-such'), ['no Python found']),
    ({'py': python(3.12)}, dict(PYTHON='py', STACK='spoons'), ['STACK=spoons is no stack', 'upstream or forks']),
    ({'py': python(3.11)}, dict(PYTHON='py', CXX='none-such'), ['no C++ compiler (none-such)', 'apt-get install g++']),
    ({'py': python(3.12), 'cc1': ''}, dict(PYTHON='py', CXX='cc1'),
     ["Python's headers are missing", 'python3.12-dev']),
    ({'py': python(3.11), 'cc1': '', 'df': 'printf "head\\nx 1 1 1048576 1 /\\n"'}, dict(PYTHON='py', CXX='cc1'),
     ['too little disk: 1 GiB free']),
    ({'py': python(3.11), 'cc1': '', 'nvidia-smi': 'exit 0'}, dict(PYTHON='py', CXX='cc1'), ['GPU but no nvcc'])])
def test_what_cannot_work_is_refused(setup, tmp_path, stand_ins, environment, words):
    if 'headers' not in words[0]:
        (tmp_path / 'Python.h').touch()
        stand_ins = {name: line.replace('INCLUDE', str(tmp_path)) for name, line in stand_ins.items()}
    checkout, finished = setup(stand_ins, **environment)
    assert finished.returncode == 2, finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert all(word in finished.stderr for word in words)
    assert not (checkout / '.venv').exists()


@pytest.fixture
def ready(tmp_path):
    """Stand-ins for an interpreter and a compiler with which set-up goes on to make the environment."""
    (tmp_path / 'Python.h').touch()
    return {'py': python('3.11').replace('INCLUDE', str(tmp_path)), 'cc1': '', 'ccache': ''}


@pytest.fixture
def making(ready, tmp_path):
    """The same, with an environment whose pip prints its settings."""
    (tmp_path / 'pip').write_text('#!/bin/bash\necho "pip, user=$PIP_USER, path=${PYTHONPATH:-none}"; exit 9\n')
    (tmp_path / 'pip').chmod(0o755)
    venv = f'venv) mkdir -p .venv/bin; cp {tmp_path}/pip .venv/bin/python ;;'
    return ready | {'py': ready['py'].replace('case "$2" in', f'case "$2" in {venv}')}


@pytest.mark.parametrize(('stand_ins', 'environment'), [
    ({}, dict(CXX='ccache cc1 -std=c++17')), ({'nvidia-smi': 'exit 0'}, dict(CUDA_VISIBLE_DEVICES=''))])
def test_a_compiler_with_a_launcher_and_a_hidden_gpu_are_fine(setup, ready, stand_ins, environment):
    _, finished = setup(ready | stand_ins, **{'PYTHON': 'py', 'CXX': 'cc1', **environment})
    assert finished.returncode == 7, finished.stderr


def test_a_folder_that_set_up_has_not_made_is_left_alone(setup, ready, tmp_path):
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'thesis.txt').touch()
    _, finished = setup(ready, PYTHON='py', CXX='cc1', VENV=str(mine))
    assert (finished.returncode, f'{mine} holds something' in finished.stderr) == (2, True)
    assert (mine / 'thesis.txt').exists()
    (mine / 'setup.log').touch()
    _, finished = setup(ready, PYTHON='py', CXX='cc1', VENV=str(mine))
    assert finished.returncode == 7, 'an environment of an earlier set-up is made anew'


def test_two_set_ups_at_once_do_not_meet(setup, ready):
    checkout, _ = setup(PYTHON='none-such')
    with (checkout / 'tools/setup.sh').open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _, finished = setup(ready, PYTHON='py', CXX='cc1')
    assert (finished.returncode, 'another set-up is running' in finished.stderr) == (2, True)


UV = '[ "$1" = --version ] || { echo "uv, $UV_DEFAULT_INDEX $UV_FIND_LINKS, path=${PYTHONPATH:-none}"; exit 9; }'


@pytest.mark.parametrize(('uv', 'words'), [
    (UV, 'uv, https://mirror/simple /one,/two, path=none'), ('exit 127', 'pip, user=0, path=none')])
def test_pips_settings_reach_the_installer_that_works(setup, making, uv, words):
    """A command that does not run may be a shim of pyenv. Packages of PYTHONPATH are not in the environment."""
    _, finished = setup(making | {'uv': uv}, PYTHON='py', CXX='cc1', PIP_INDEX_URL='https://mirror/simple',
                        PIP_FIND_LINKS='/one /two', PIP_USER='1', PYTHONPATH='/modules')
    assert words in finished.stderr


def test_a_signal_ends_the_installer_too(setup, making, tmp_path):
    checkout, _ = setup(making | {'uv': f'[ "$1" = --version ] || {{ touch {tmp_path}/began; sleep 60; }}'},
                        PYTHON='none-such')
    with subprocess.Popen([checkout / 'tools/setup.sh'], stdout=subprocess.DEVNULL, env=dict(
            PATH=f'{tmp_path}/commands:/usr/bin:/bin', PYTHON='py', CXX='cc1')) as process:
        assert wait_for((tmp_path / 'began').exists, process)
        process.terminate()
    assert process.returncode == 130
    assert subprocess.run(['pgrep', '-f', f'{tmp_path}/commands/uv'], check=False).returncode == 1


def test_a_signal_while_the_environment_is_made_leaves_none(setup, ready, tmp_path):
    """Half of one would be taken for a folder that set-up has not made."""
    venv = f'venv) mkdir -p .venv/bin; touch .venv/bin/x {tmp_path}/began; sleep 2 ;;'
    checkout, _ = setup(ready | {'py': ready['py'].replace('case "$2" in', f'case "$2" in {venv}')}, PYTHON='none-such')
    with subprocess.Popen([checkout / 'tools/setup.sh'], stdout=subprocess.DEVNULL, env=dict(
            PATH=f'{tmp_path}/commands:/usr/bin:/bin', PYTHON='py', CXX='cc1')) as process:
        assert wait_for((tmp_path / 'began').exists, process)
        process.terminate()
    assert process.returncode == 130
    assert not (checkout / '.venv').exists()


def test_the_disk_is_that_of_the_environment(setup, ready, tmp_path):
    df = f'[ "${{@: -1}}" = {tmp_path} ] && n=99999999 || n=1048576; printf "head\\nx 1 1 $n 1 /\\n"'
    _, finished = setup(ready | {'df': df}, PYTHON='py', CXX='cc1')
    assert 'too little disk: 1 GiB free in .,' in finished.stderr
    _, finished = setup(ready | {'df': df}, PYTHON='py', CXX='cc1', VENV=str(tmp_path / 'new/venv'))
    assert finished.returncode == 7, finished.stderr


@pytest.mark.parametrize(('version', 'asked', 'stack', 'reason'), [
    ('3.10', {}, 'upstream', 'mmcv builds on Python 3.10'), ('3.12', {}, 'upstream', 'mmcv builds on Python 3.12'),
    ('3.13', {}, 'forks', 'does not build on Python 3.13'), ('3.11', {'STACK': 'forks'}, 'forks', 'STACK=forks'),
    ('3.13', {'STACK': 'upstream', 'VENV': '.other'}, 'upstream', 'STACK=upstream')])
def test_stack_is_that_which_works_on_the_python(setup, tmp_path, version, asked, stack, reason):
    (tmp_path / 'Python.h').touch()
    stand_ins = {'py': python(version).replace('INCLUDE', str(tmp_path)), 'cc1': ''}
    _, finished = setup(stand_ins, PYTHON='py', CXX='cc1', **asked)
    assert (finished.returncode, finished.stderr.split()[-1]) == (7, asked.get('VENV', '.venv'))
    assert f'with Python {version} and the {stack} packages (' in finished.stdout
    assert reason in finished.stdout


def stamp(checkout, place):
    """Make an environment that looks complete, for Python 3.12 and the forks, as one made in a place."""
    (checkout / '.venv/bin').mkdir(parents=True)
    (checkout / '.venv/bin/python').symlink_to('/bin/true')
    parts = (checkout / 'requirements.txt', *sorted((checkout / 'requirements').glob('*.txt')),
             checkout / 'pyproject.toml', checkout / 'tools/setup.sh')
    digest = hashlib.sha256(b''.join(path.read_bytes() for path in parts)).hexdigest()
    (checkout / '.venv/complete').write_text(f'{digest} 3.12 forks {place}\n')


@pytest.mark.parametrize(('asked', 'does_nothing'), [
    ({}, True), ({'PYTHON': 'same', 'STACK': 'forks'}, True), ({'VENV': '.other'}, False),
    ({'PYTHON': 'another'}, False), ({'STACK': 'upstream'}, False)])
def test_second_call_keeps_the_environment_that_was_asked_for(setup, asked, does_nothing):
    checkout, _ = setup(PYTHON='none-such')
    stamp(checkout, checkout)
    _, finished = setup({'same': python(3.12), 'another': python(3.13), 'python3.11': python(3.11)}, **asked,
                        CXX='none-such')
    assert finished.returncode == (0 if does_nothing else 2), finished.stderr
    assert finished.stdout == ''


def test_an_environment_that_lacks_the_operators_of_the_gpu_is_made_again(setup):
    """As one that was made on a login node."""
    checkout, _ = setup(PYTHON='none-such')
    stamp(checkout, checkout)
    stand_ins = {'py': python(3.12), 'nvidia-smi': 'exit 0'}
    _, finished = setup(stand_ins, PYTHON='py', CXX='none-such')
    assert (finished.returncode, finished.stderr) == (0, '')
    (checkout / '.venv/bin/python').unlink()
    (checkout / '.venv/bin/python').symlink_to('/bin/false')
    _, finished = setup(stand_ins, PYTHON='py', CXX='none-such')
    assert 'no C++ compiler' in finished.stderr
    _, finished = setup(stand_ins, PYTHON='py', CXX='none-such', CUDA_VISIBLE_DEVICES='')
    assert finished.returncode == 0, 'the GPU is hidden'


def test_an_environment_of_another_place_is_made_again(setup):
    """Its scripts and the editable installation name the folder where it was made."""
    checkout, _ = setup(PYTHON='none-such')
    stamp(checkout, checkout.with_name('original'))
    _, finished = setup({'py': python(3.12)}, PYTHON='py', CXX='none-such')
    assert 'no C++ compiler' in finished.stderr


def test_an_environment_whose_python_is_gone_is_made_again(setup):
    checkout, _ = setup(PYTHON='none-such')
    (checkout / '.venv/bin').mkdir(parents=True)
    (checkout / '.venv/bin/python').symlink_to('/gone/python')
    (checkout / '.venv/complete').touch()
    _, finished = setup({'py': python(3.12)}, PYTHON='py', CXX='none-such')
    assert 'no C++ compiler' in finished.stderr


def pins(repository, name):
    """Requirements with their version, by name."""
    lines = [line for line in (repository / name).read_text().splitlines() if '==' in line]
    return [Requirement(line) for line in lines]


def test_pins_of_the_stacks_are_apart_from_what_both_share(repository):
    shared = {each.name for each in pins(repository, 'requirements/common.txt')}
    for requirements in STACKS.values():
        own = {each.name for each in pins(repository, requirements)}
        assert {'numpy'} < own
        assert not own & shared


@pytest.mark.parametrize('stack', STACKS)
@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12', '3.13'])
def test_every_package_has_one_version_on_a_python(repository, stack, version):
    chosen = {}
    for name in (STACKS[stack], *SHARED):
        for each in pins(repository, name):
            if each.marker is None or each.marker.evaluate({'python_version': version}):
                assert chosen.setdefault(each.name, each.specifier) == each.specifier, each.name
    only_newer = {'lazy-importer', 'ipython_pygments_lexers'}  # for importlib_metadata 10 and ipython 9, not on 3.10
    everything = {each.name for name in (STACKS[stack], 'requirements/common.txt', 'requirements/cpu.txt')
                  for each in pins(repository, name)}
    assert everything - {*chosen} == (only_newer if version == '3.10' else set())
