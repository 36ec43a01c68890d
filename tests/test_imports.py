"""The layers of the package: a module imports only from modules below it, and there are no import cycles."""
import runpy
import sys
from graphlib import TopologicalSorter
from types import SimpleNamespace

import pytest

# From the lowest layer up. Each module has the libraries that it may import, and may import the modules listed before.
MODULES = {
    'errors': set(), 'version': set(), 'presets': set(),
    'datasets': {'numpy', 'cv2', 'PIL', 'skimage', 'sklearn'},
    'attention': {'torch', 'triton'},
    'native': set(),
    'plugins': {'torch', 'mmengine'},
    'plugin_spec': {'mmengine', 'mmcv'},
    'backbones': {'torch', 'mmengine', 'mmcv'},
    'config_tree': {'mmengine'},
    'compat': {'torch', 'mmengine', 'mmdet'},
    'doctor': {'torch'},
    'commands': set(),
    '__main__': set(),
    'failures': {'torch', 'mmengine'},
    'checkpoint': {'torch', 'numpy', 'mmengine', 'safetensors'},
    'preflight': {'torch', 'numpy', 'cv2', 'PIL', 'mmengine', 'mmdet'},
    'runtime': {'torch', 'numpy', 'cv2', 'PIL', 'mmengine', 'mmcv', 'mmdet', 'mlflow'},
    'analysis': {'torch', 'numpy', 'scipy', 'cv2', 'PIL', 'matplotlib', 'captum', 'sklearn', 'imagecorruptions', 'tqdm',
                 'jinja2', 'markupsafe', 'mmengine', 'mmcv', 'mmdet'},
    'export': {'torch', 'numpy', 'mmcv', 'mmdet', 'mmseg', 'onnxscript', 'onnxruntime'},
    'registry': set(),
    '__init__': set(),
}
NEEDS = {'datasets': {'errors'}, 'attention': set(), 'native': {'attention'}}
"""Modules that may import only some of the modules below them."""


@pytest.fixture(scope='module')
def script(repository):
    """The script that draws the imports, used here to read them."""
    return SimpleNamespace(**runpy.run_path(str(repository / 'tools/draw_imports.py')))


@pytest.fixture(scope='module')
def files(script, repository):
    return script.modules(repository / 'dmsca_mm')


def module_of(name):
    return name.split('.')[0]


@pytest.mark.parametrize('own', MODULES)
def test_module_imports_only_from_below(own, script, files):
    order = list(MODULES)
    below = NEEDS.get(own, {*order[:order.index(own)]}) - ({'datasets'} if own not in NEEDS else set())
    of_module = [name for name in files if module_of(name) == own]
    assert of_module
    for name in of_module:
        for found in script.imported(name, files):
            if found.startswith('.'):
                assert module_of(found[1:]) in {own, *below}, f'{name} imports {found}'
            else:
                assert found in MODULES[own] | sys.stdlib_module_names, f'{name} imports {found}'


def test_no_file_imports_itself_by_way_of_others(script, files):
    graph = {name: {found[1:] for found in script.imported(name, files) if found.startswith('.')} - {name}
             for name in files}
    assert len([*TopologicalSorter(graph).static_order()]) >= len(files)


def test_every_module_is_on_the_plan(files):
    assert {module_of(name) for name in files} == set(MODULES)


def test_no_two_folders_have_one_name(repository):
    names = [path.parent.name for path in (repository / 'dmsca_mm').rglob('__init__.py')]
    assert len(names) == len(set(names))


def test_tests_mirror_the_package(repository, files):
    package, tests = repository / 'dmsca_mm', repository / 'tests'
    for path in files.values():
        if path.stem in ('__init__', '__main__', 'version', 'presets'):
            continue
        relative = path.relative_to(package)
        tested = path.name.replace('_gradient_kernels', '_kernels')  # forward and backward share a test file
        assert (tests / relative.parent / f'test_{tested}').exists(), f'no test file for {relative}'


def test_picture_is_that_of_the_imports(script, repository):
    assert script.drawing(repository / 'dmsca_mm') in script.PAGE.read_text()
