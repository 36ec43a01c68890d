"""The CPU kernels under AddressSanitizer and UndefinedBehaviorSanitizer, in a separate program."""
import subprocess
from pathlib import Path

import pytest

from dmsca_mm.attention.dmsca.cpu import compile_kernels as build

SANITIZERS = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sanitized')
    jobs = [subprocess.Popen(['c++', *build.FLAGS, *instructions, *SANITIZERS, f'-DNAME={name}', f'-DLANES={lanes}',
                              '-c', build.SOURCES / 'variant.cpp', '-o', folder / f'{name}.o'])
            for name, (lanes, instructions) in build.VARIANTS.items()]
    assert [job.wait() for job in jobs] == [0] * len(jobs)
    subprocess.run(['c++', *build.FLAGS, *SANITIZERS, '-DSOURCES=""', f'-I{build.SOURCES}',
                    build.SOURCES / 'library.cpp', Path(__file__).with_name('sanitize.cpp'),
                    *(folder / f'{name}.o' for name in build.VARIANTS), '-o', folder / 'sanitize'], check=True)
    return folder / 'sanitize'


@pytest.mark.soak
def test_a_thousand_random_shapes_touch_no_memory_but_their_own(program):
    done = subprocess.run([program, '1000', '0'], capture_output=True, text=True, timeout=3000)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'baseline: 1000 shapes' in done.stdout
