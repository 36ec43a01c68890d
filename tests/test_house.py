"""The floors of the house: a file imports only from floors below its own."""
import ast
import sys

import pytest

# room: what it may import of the package and of the libraries; a room may import itself.
ROOMS = {
    'errors': set(), 'version': set(), 'presets': set(),
    'attention': {'torch', 'triton'},
    'native': {'attention'},
    'insight': {'attention', 'errors', 'torch', 'numpy', 'PIL', 'matplotlib', 'captum', 'sklearn'},
    'datasets': {'errors', 'numpy', 'cv2', 'PIL', 'skimage', 'sklearn'},
    'robustness': {'errors', 'numpy', 'imagecorruptions', 'matplotlib'},
    'forks': {'mmengine'},
    'plugin': {'attention', 'errors', 'presets', 'torch', 'mmengine'},
    'runtime': {'attention', 'errors', 'forks', 'insight', 'plugin', 'robustness', 'version', 'torch', 'numpy', 'scipy',
                'cv2', 'PIL', 'safetensors', 'tqdm', 'jinja2', 'markupsafe', 'mmengine', 'mmcv', 'mmdet'},
    'backbones': {'plugin', 'torch', 'mmengine', 'mmcv'},
    'registry': {'runtime'},
    '__init__': {'attention', 'backbones', 'forks', 'plugin', 'runtime', 'version'},
}


def imported(path, package):
    """First names that a file imports: libraries by their own, the package's parts by the room."""
    inside = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        elif isinstance(node, ast.ImportFrom):
            above = inside[:len(inside) - (node.level - 1)]
            base = ['dmsca_mm', *above, *(node.module or '').split('.')]
            names = ['.'.join(filter(None, base))]
            if names == ['dmsca_mm']:
                names = [f'dmsca_mm.{alias.name}' for alias in node.names]
        for name in names:
            parts = name.split('.')
            yield parts[1] if parts[0] == 'dmsca_mm' and len(parts) > 1 else parts[0]


@pytest.mark.parametrize('room', ROOMS)
def test_room_imports_only_from_below(room, repository):
    package = repository / 'dmsca_mm'
    files = [package / f'{room}.py'] if (package / f'{room}.py').exists() else sorted((package / room).rglob('*.py'))
    assert files
    for path in files:
        allowed = ROOMS[room] | sys.stdlib_module_names | {room}
        assert set(imported(path, package)) <= allowed, path


def test_every_room_is_on_the_plan(repository):
    rooms = (repository / 'dmsca_mm').iterdir()
    found = {path.stem for path in rooms if path.suffix == '.py' or (path / '__init__.py').exists()}
    assert found == set(ROOMS)


def test_tests_mirror_the_package(repository):
    package, tests = repository / 'dmsca_mm', repository / 'tests'
    for path in package.rglob('*.py'):
        if path.stem in ('__init__', 'version', 'presets'):
            continue
        relative = path.relative_to(package)
        assert (tests / relative.parent / f'test_{path.name}').exists(), f'no test file for {relative}'
