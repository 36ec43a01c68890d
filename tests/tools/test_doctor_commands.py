"""The commands that ``python -m dmsca_mm`` prints fix an environment that was broken on purpose."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dmsca_mm.compat import forks

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
UPSTREAM = pytest.mark.skipif(forks.installed('onedl-mmengine'), reason='breaks upstream packages; here are the forks')


class Environment:
    """A copy of the environment that runs the tests; its files are hard links, which pip replaces.

    Args:
        folder: for the copy.
    """

    def __init__(self, folder):
        shutil.copytree(sys.prefix, folder, symlinks=True, copy_function=os.link)
        self.bin = folder / 'bin'
        for script in self.bin.iterdir():  # they name the interpreter for which they were installed
            if script.is_file() and not script.is_symlink() and script.read_bytes().startswith(b'#!'):
                text = script.read_text().replace(f'{sys.prefix}/bin/', f'{self.bin}/', 1)  # '#!', or exec with a space
                script.unlink()
                script.write_text(text)
                script.chmod(0o755)

    def shell(self, command):
        """Run a command with this environment's programs first; return the finished process."""
        path = os.pathsep.join((str(self.bin), os.environ['PATH']))
        return subprocess.run(['bash', '-c', command], cwd=ROOT, text=True, capture_output=True, timeout=1200,
                              env={**os.environ, 'PATH': path, 'VIRTUAL_ENV': str(self.bin.parent)})

    def do(self, command):
        """Run a command that must succeed."""
        done = self.shell(command)
        assert done.returncode == 0, f'{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}'

    def faults(self):
        """Return the command that fixes each fault, by the faulty thing."""
        lines = self.shell('python -m dmsca_mm').stdout.splitlines()
        assert any(line.startswith('torch ') for line in lines), lines
        listed = lines[lines.index('To mend:') + 1:] if 'To mend:' in lines else []
        return {name: command.strip() for line, command in zip(listed[::2], listed[1::2], strict=True)
                for name in line.split(': ')[0].split(', ')}


@pytest.fixture
def environment(tmp_path):
    if sys.prefix == sys.base_prefix or not Path(sys.prefix, 'bin/pip').exists():
        pytest.skip('needs an environment of its own with pip, such as that of "make setup"')
    with tempfile.TemporaryDirectory(prefix='.venv-', dir=Path(sys.prefix).parent) as folder:  # links need one disk
        made = Environment(Path(folder, 'environment'))
        assert folder in made.shell('pip --version').stdout, 'pip would change the environment of the tests'
        if made.shell(f'pip download -q --no-deps -d {tmp_path} termcolor==3.3.0').returncode:
            pytest.skip('no package registry can be reached')
        yield made


@pytest.mark.parametrize(('broken', 'what'), [
    ('pip install -q "setuptools>=82"', 'setuptools'),
    pytest.param('pip install -q --no-deps opencv-python-headless==4.10.0.84', 'OpenCV', marks=UPSTREAM),
    pytest.param('pip install -q --no-deps mmdet==3.1.0', 'mmdet', marks=UPSTREAM),
    pytest.param('pip uninstall -q -y mmpretrain', 'mmpretrain', marks=UPSTREAM),
    ('pip uninstall -q -y onnxscript', 'onnxscript'),
    pytest.param('rm $(python -c "import mmcv._ext; print(mmcv._ext.__file__)")', 'mmcv', marks=pytest.mark.soak)])
def test_the_command_mends_it(broken, what, environment):
    environment.do(broken)
    found = environment.faults()
    assert what in found
    environment.do(found[what])
    assert environment.faults() == {}


def test_the_copy_leaves_the_environment_of_the_tests_alone(environment):
    before = re.findall(r'^termcolor.*', environment.shell('pip freeze').stdout, re.MULTILINE)
    assert before
    environment.do('pip uninstall -q -y termcolor')
    here = subprocess.run([sys.executable, '-m', 'pip', 'freeze'], capture_output=True, text=True, check=True).stdout
    assert before[0] in here.splitlines()
    assert 'termcolor' not in environment.shell('pip freeze').stdout
