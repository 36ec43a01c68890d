"""The files that a build of the CPU kernels leaves, also if it fails, is killed or runs twice."""
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dmsca_mm.attention.dmsca.cpu import compile_kernels as build


@pytest.fixture
def package(tmp_path):
    """A copy of the build script and its sources, without a library, in a folder whose name has a space."""
    folder = tmp_path / 'a place'
    shutil.copytree(build.SOURCES, folder / 'src')
    shutil.copy(build.__file__, folder / 'build.py')
    return folder


def run(package, *arguments, **environment):
    return subprocess.run([sys.executable, package / 'build.py', *arguments], capture_output=True, text=True,
                          timeout=300, env={**os.environ, **environment})


def stand_in(tmp_path, line):
    """Write a compiler that consists of one shell line."""
    path = tmp_path / 'compiler'
    path.write_text(f'#!/bin/sh\n{line}\n')
    path.chmod(0o755)
    return str(path)


def links(output='echo nothing'):
    """A shell line that writes a compiler's output file."""
    return f'while [ "$1" != -o ]; do shift; done; {output} > "$2"'


def files(package):
    return sorted(path.name for path in package.iterdir() if path.name not in ('src', 'build.py', '__pycache__'))


@pytest.mark.slow
def test_the_library_is_built_once_and_then_current(package):
    first = run(package)
    assert first.returncode == 0, first.stderr
    assert 'built libdmsca-' in first.stdout
    assert files(package) == [build.LIBRARY.name]
    assert 'is current' in run(package).stdout
    assert run(package, '--quiet').stdout == ''
    (package / 'src' / 'team.h').write_text((package / 'src' / 'team.h').read_text() + '// changed\n')
    assert 'current' not in run(package, CXX='none-such').stdout


@pytest.mark.parametrize(('line', 'words'), [
    ('echo "x.cpp:1: error: no such thing" >&2; exit 1', ['compiling the', 'kernels failed', 'error: no such thing']),
    ('exit 3', ['failed'])])
def test_a_compiler_that_fails_is_one_line_and_leaves_what_was_there(package, tmp_path, line, words):
    library = package / build.LIBRARY.name
    library.write_text('old')
    done = run(package, CXX=stand_in(tmp_path, line))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert all(word in done.stderr for word in words)
    assert library.read_text() == 'old'


def test_no_compiler_is_one_line_with_what_to_install(package):
    done = run(package, CXX='none-such')
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert 'no C++ compiler (none-such)' in done.stderr
    assert 'apt-get install g++' in done.stderr
    assert files(package) == []


def test_a_compiler_with_arguments_is_taken(package, tmp_path):
    done = run(package, CXX=f'{stand_in(tmp_path, links())} -Wextra')
    assert done.returncode == 0, done.stderr


def test_a_target_that_cannot_be_written_is_named(package, tmp_path):
    (package / build.LIBRARY.name).mkdir()
    done = run(package, '--force', CXX=stand_in(tmp_path, links()))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert 'cannot be written: Is a directory' in done.stderr
    assert files(package) == [build.LIBRARY.name]


@pytest.mark.parametrize('delay', [0.02, 0.1, 0.3])
def test_a_killed_build_leaves_a_whole_library_and_the_next_one_works(package, tmp_path, delay):
    library, compiler = package / build.LIBRARY.name, stand_in(tmp_path, f'sleep 0.1; {links()}')
    library.write_text('old')
    job = subprocess.Popen([sys.executable, package / 'build.py', '--force'], env={**os.environ, 'CXX': compiler},
                           start_new_session=True)
    time.sleep(delay)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert library.read_text() in ('old', 'nothing\n')
    assert run(package, '--force', CXX=compiler).returncode == 0
    assert library.read_text() == 'nothing\n'
    assert files(package) == [library.name]


def test_builds_side_by_side_end_with_one_complete_library(package, tmp_path):
    compiler = stand_in(tmp_path, links('head -c 3000000 /dev/zero'))
    jobs = [subprocess.Popen([sys.executable, package / 'build.py', '--force'], env={**os.environ, 'CXX': compiler},
                             stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [job.wait() for job in jobs] == [0] * 4
    assert files(package) == [build.LIBRARY.name]
    assert (package / build.LIBRARY.name).stat().st_size == 3000000


def test_importing_the_package_builds_nothing(repository, tmp_path):
    marker = tmp_path / 'called'
    done = subprocess.run([sys.executable, '-c', 'import dmsca_mm'], cwd=repository, capture_output=True, text=True,
                          env={**os.environ, 'CXX': stand_in(tmp_path, f'touch {marker}')}, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


@pytest.mark.parametrize('share', [0, 0.01, 0.5, 0.999])
def test_a_truncated_library_is_known_by_its_length(share, tmp_path):
    content = build.LIBRARY.read_bytes()
    path = tmp_path / 'library.so'
    path.write_bytes(content)
    assert build.is_complete(path)
    path.write_bytes(content[:int(share * len(content))])
    assert not build.is_complete(path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('aarch64-linux-gnu-g++') is None,
                    reason='needs a cross compiler: apt-get install g++-aarch64-linux-gnu')
@pytest.mark.skipif(platform.machine() == 'aarch64', reason='aarch64 is this machine')
def test_the_kernels_compile_for_aarch64(tmp_path):
    lanes, instructions = build.VARIANTS['baseline']
    for name in ('variant', 'library'):
        subprocess.run(['aarch64-linux-gnu-g++', *build.FLAGS, *instructions, '-Werror', '-DNAME=baseline',
                        f'-DLANES={lanes}', '-DSOURCES="test"', '-c', build.SOURCES / f'{name}.cpp', '-o',
                        tmp_path / f'{name}.o'], check=True, timeout=300)
    subprocess.run(['aarch64-linux-gnu-g++', '-shared', '-fopenmp', tmp_path / 'variant.o', tmp_path / 'library.o',
                    '-o', tmp_path / 'library.so'], check=True)
    assert build.is_complete(tmp_path / 'library.so')
