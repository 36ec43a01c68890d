"""The wheel, installed into a new environment and used from an empty folder."""
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from modelindex.load_model_index import load

from dmsca_mm.commands import DOCTOR, VERBS

pytestmark = pytest.mark.slow
ITERATIONS = 3
SHORT = ['train_cfg.max_epochs=1', 'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None',
         f'train_dataloader.dataset.indices={2 * ITERATIONS}', 'train_dataloader.batch_size=2',
         'default_hooks.logger.interval=1']


@pytest.fixture(scope='module')
def wheel(repository, tmp_path_factory):
    """Build as ``make wheel`` does, from the source distribution, which must therefore be complete as well."""
    out = tmp_path_factory.mktemp('dist')
    with FileLock(tmp_path_factory.getbasetemp().parent / 'wheel.lock'):  # workers of pytest-xdist build in one folder
        subprocess.run([sys.executable, '-m', 'build', '--no-isolation', '--outdir', str(out)], cwd=repository,
                       check=True, capture_output=True, timeout=300)
    return next(out.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Run a command of an environment in which the wheel is the only copy of this package."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, with_pip=True)
    own = next(folder.glob('lib/python*/site-packages'))
    libraries = Path(sysconfig.get_path('purelib'))
    # Of the libraries' own .pth files, some of editable packages, only setuptools' is read. It stands in for distutils,
    # which mmengine imports and Python 3.12 lacks.
    distutils = (libraries / 'distutils-precedence.pth').read_text()
    (own / 'libraries.pth').write_text(f'{libraries}\n{distutils}')
    subprocess.run([folder / 'bin/pip', 'install', '-q', '--no-deps', '--ignore-installed', '--no-index', wheel],
                   check=True, timeout=120)

    def run(where, *words):
        clean = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        return subprocess.run([str(folder / 'bin' / words[0]), *words[1:]], cwd=where, capture_output=True, text=True,
                              timeout=300, env=clean)
    return SimpleNamespace(run=run, package=own / 'dmsca_mm')


def test_size_of_the_wheel(wheel):
    assert wheel.stat().st_size < 1.5e6
    assert wheel.name.split('-')[2:4] == ['py3', 'none']


def test_tools_configs_and_kernels_are_in_it(wheel, repository):
    names = {*zipfile.ZipFile(wheel).namelist()}
    assert any(name.startswith('dmsca_mm/attention/dmsca/cpu/libdmsca-') for name in names)
    for path in (repository / 'configs').rglob('*.py'):
        assert f'dmsca_mm/.mim/{path.relative_to(repository)}' in names
    stems = {name.rpartition('/')[2].partition('.')[0] for name in names if name.startswith('dmsca_mm/.mim/tools/')}
    assert {verb.replace('-', '_') for verb in VERBS if verb != DOCTOR} <= stems
    assert not stems & {'setup', 'demo', 'draw_imports'}


def test_every_config_is_in_the_index(repository):
    index = load(str(repository / 'model-index.yml'))
    index.build_models_with_collections()
    configs = {str(path.relative_to(repository)) for path in (repository / 'configs').rglob('*.py')
               if '_base_' not in path.parts}
    assert sorted(model.config for model in index.models) == sorted(configs)


def test_detector_is_trained_from_an_empty_folder(installed, tmp_path):
    made = installed.run(tmp_path, 'dmsca', 'make-digits', '--training', '8', '--validation', '2')
    assert made.returncode == 0, made.stderr
    trained = installed.run(tmp_path, 'dmsca', 'train', 'dmsca_mm::digits/faster_rcnn_r50_dmsca_digits.py',
                            '--cfg-options', *SHORT)
    assert trained.returncode == 0, trained.stderr
    assert f'[1][{ITERATIONS}/{ITERATIONS}]' in trained.stdout + trained.stderr
    assert (tmp_path / 'work_dirs/faster_rcnn_r50_dmsca_digits/epoch_1.pth').exists()
    assert {path.name for path in tmp_path.iterdir()} == {'data', 'work_dirs'}


def test_it_is_the_wheel_that_is_used(installed, tmp_path):
    found = installed.run(tmp_path, 'python', '-W', 'ignore', '-c', 'import dmsca_mm; print(dmsca_mm.__file__)')
    assert found.stdout.strip() == str(installed.package / '__init__.py'), found.stderr


def test_config_of_the_wheel_needs_no_import_of_it(installed, tmp_path):
    """mmdet's own tools and mim read it as a file."""
    config = installed.package / '.mim/configs/retinanet_r50_dmsca.py'
    read = f'from mmengine.config import Config; print(Config.fromfile({str(config)!r}).model.backbone.plugins[0].cfg)'
    found = installed.run(tmp_path, 'python', '-W', 'ignore', '-c', read)
    assert "'DMSCA'" in found.stdout, found.stderr
