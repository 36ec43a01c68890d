"""A missing package is named with the command that installs it; installed ones with their version."""
import re
import subprocess
import sys

import pytest

from dmsca_mm.compat import forks, requirements
from dmsca_mm.errors import UsageError


@pytest.fixture(params=['requirements.txt', 'requirements/forks.txt'])
def pinned(request, repository, monkeypatch):
    """The requirements of a stack, with that stack reported as installed."""
    monkeypatch.setattr(forks, 'installed', lambda package: request.param == 'requirements/forks.txt')
    return (repository / request.param).read_text().splitlines()


def test_present_stack_passes():
    requirements.require('mmdet', 'mmseg')


@pytest.mark.parametrize('library', ['mmcv', 'mmdet', 'mmseg', 'mmpretrain'])
def test_missing_library_is_named_with_the_pin_of_its_stack(library, pinned, monkeypatch):
    monkeypatch.setattr(requirements, 'find_spec', lambda name: None if name == library else object())
    with pytest.raises(UsageError, match=f'{library} is not installed: run "pip install .*make setup') as caught:
        requirements.require(library)
    assert re.search(r'[\w-]+==[\d.]+', str(caught.value))[0] in pinned


def test_missing_distutils_is_named_with_the_command_for_setuptools(monkeypatch):
    monkeypatch.setattr(requirements, 'find_spec', lambda name: None if name == 'distutils' else object())
    with pytest.raises(UsageError, match=f'mmengine imports and setuptools provides: run "{requirements.SETUPTOOLS}"'):
        requirements.require('mmdet')


def test_mmcv_without_operators_is_told_from_no_mmcv(pinned, monkeypatch):
    def no_operators(name):
        if name == 'mmcv._ext':
            raise ImportError('no _ext')
    monkeypatch.setattr(requirements, 'import_module', no_operators)
    with pytest.raises(UsageError, match=r'mmcv has no usable compiled operators .*--no-build-isolation') as caught:
        requirements.require('mmdet')
    assert re.search(r'[\w-]+==[\d.]+', str(caught.value))[0] in pinned


def test_a_library_that_opencv_lacks_is_no_fault_of_mmcv(monkeypatch):
    def no_opencv(name):
        raise ImportError('libGL.so.1: cannot open shared object file')
    monkeypatch.setattr(requirements, 'import_module', no_opencv)
    with pytest.raises(UsageError, match=r'OpenCV cannot be imported \(libGL.so.1.*opencv-python-headless'):
        requirements.require('mmdet')


def test_detectors_need_the_operators_of_the_gpu_that_is_there(monkeypatch):
    from mmcv import _ext
    requirements.require('mmdet')
    monkeypatch.setattr(requirements.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(_ext, 'get_compiling_cuda_version', lambda: '12.4')
    requirements.require('mmdet')
    monkeypatch.setattr(_ext, 'get_compiling_cuda_version', lambda: 'not available')
    requirements.require('mmseg')
    with pytest.raises(UsageError, match=r'compiled without CUDA.*run "pip install .*CUDA_VISIBLE_DEVICES='):
        requirements.require('mmdet')


def test_versions_are_of_what_is_installed():
    found = requirements.versions('torch', 'no-such-package')
    assert 'no-such-package' not in found
    names = {name.removeprefix('onedl-') for name in found}
    assert names >= {'torch', 'mmengine', 'mmcv', 'mmsegmentation', 'mmpretrain'}
    assert len(found) == 6, 'each library by one of its two names'


def test_mmpretrain_is_imported_and_leaves_no_torchvision_behind():
    """In a separate process, because only the first import of mmpretrain shows what it was imported with."""
    code = ('import sys; from importlib.util import find_spec; there = find_spec("torchvision"); '
            'from dmsca_mm.compat import requirements; requirements.require("mmpretrain"); '
            'from mmengine.registry import MODELS; assert MODELS.get("mmpretrain.ImageClassifier"); '
            'assert (find_spec("torchvision") is None) == (there is None); '
            'assert there or "torchvision" not in sys.modules')
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True, timeout=300)


@pytest.mark.parametrize(('library', 'package'), [('mmseg', 'ftfy'), ('mmseg', 'regex'), ('mmdet', 'pycocotools'),
                                                  ('mmdet', 'terminaltables')])
def test_a_package_that_a_library_imports_and_does_not_install_is_named(library, package):
    """In a separate process, because only the first import of a library needs it."""
    code = ('import sys\nclass Absent:\n    def find_spec(self, name, *rest):\n'
            f'        if name == {package!r}: raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)\n'
            'sys.meta_path.insert(0, Absent())\nfrom dmsca_mm.compat import requirements\n'
            f'try: requirements.require({library!r})\nexcept requirements.BrokenLibraryError as error: print(error)')
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, timeout=300)
    assert re.search(f'^{library} cannot be imported .*{package}.*: run "pip install {package}"$', done.stdout), (
        done.stdout + done.stderr)


@pytest.mark.parametrize(('library', 'error', 'words'), [
    ('mmpretrain', RuntimeError('operator torchvision::nms does not exist'),
     r'torchvision does not fit this torch .*run "pip uninstall -y torchvision"'),
    ('mmpretrain', ModuleNotFoundError("No module named 'torchvision.ops.x'", name='torchvision.ops.x'),
     r'torchvision does not fit this torch .*run "pip uninstall -y torchvision"'),
    ('mmdet', ValueError('numpy.dtype size changed, may indicate binary incompatibility'),
     r'mmdet cannot be imported \(numpy.dtype size changed'),
    ('mmdet', ModuleNotFoundError("No module named 'mmcv.x'", name='mmcv.x'),
     r'mmdet cannot be imported .*run "pip install --no-build-isolation (onedl-)?mmcv==')])
def test_a_package_that_does_not_fit_is_named(library, error, words, monkeypatch):
    def unfit(name):
        if name.startswith(library):
            raise error
    monkeypatch.setattr(requirements, 'import_module', unfit)
    with pytest.raises(UsageError, match=words):
        requirements.require(library)


def test_mmpretrain_that_lacks_something_is_named_with_the_pin_of_its_stack(pinned, monkeypatch):
    def lacks(name):
        if name.startswith('mmpretrain'):
            raise ImportError("No module named 'einops'")
    monkeypatch.setattr(requirements, 'import_module', lacks)
    with pytest.raises(UsageError, match=r'mmpretrain cannot be imported .*einops.*pip install') as caught:
        requirements.require('mmpretrain')
    assert re.search(r'[\w-]+==[\d.]+', str(caught.value))[0] in pinned
