"""The plan of the package: a room imports from rooms below its own, and no file imports itself by way of others."""
import runpy
import sys
from graphlib import TopologicalSorter
from types import SimpleNamespace

import pytest

# From the ground up. A room: what it may import of the libraries; of the package it may import the rooms above it here.
ROOMS = {
    'errors': set(), 'version': set(), 'presets': set(),
    'datasets': {'numpy', 'cv2', 'PIL', 'skimage', 'sklearn'},
    'attention': {'torch', 'triton'},
    'native': set(),
    'plugins': {'torch', 'mmengine'},
    'backbones': {'torch', 'mmengine', 'mmcv'},
    'config_tree': {'mmengine'},
    'compat': {'mmengine'},
    'doctor': {'torch'},
    '__main__': set(),
    'failures': {'torch', 'mmengine'},
    'checkpoint': {'torch', 'numpy', 'mmengine', 'safetensors'},
    'preflight': {'torch', 'numpy', 'cv2', 'PIL', 'mmengine', 'mmdet'},
    'runtime': {'torch', 'numpy', 'cv2', 'PIL', 'mmengine', 'mmcv', 'mmdet'},
    'analysis': {'torch', 'numpy', 'scipy', 'cv2', 'PIL', 'matplotlib', 'captum', 'sklearn', 'imagecorruptions', 'tqdm',
                 'jinja2', 'markupsafe', 'mmengine', 'mmcv', 'mmdet'},
    'registry': set(),
    '__init__': set(),
}
NEEDS = {'datasets': {'errors'}, 'attention': set(), 'native': {'attention'}}
"""Rooms that stand beside the others and use less than all that is below."""


@pytest.fixture(scope='module')
def rooms(repository):
    """The script that draws them; it reads the imports."""
    return SimpleNamespace(**runpy.run_path(str(repository / 'tools/draw_rooms.py')))


@pytest.fixture(scope='module')
def files(rooms, repository):
    return rooms.modules(repository / 'dmsca_mm')


def room(name):
    return name.split('.')[0]


@pytest.mark.parametrize('own', ROOMS)
def test_room_imports_only_from_below(own, rooms, files):
    order = list(ROOMS)
    below = NEEDS.get(own, {*order[:order.index(own)]}) - ({'datasets'} if own not in NEEDS else set())
    of_room = [name for name in files if room(name) == own]
    assert of_room
    for name in of_room:
        for found in rooms.imported(name, files):
            if found.startswith('.'):
                assert room(found[1:]) in {own, *below}, f'{name} imports {found}'
            else:
                assert found in ROOMS[own] | sys.stdlib_module_names, f'{name} imports {found}'


def test_no_file_imports_itself_by_way_of_others(rooms, files):
    graph = {name: {found[1:] for found in rooms.imported(name, files) if found.startswith('.')} - {name}
             for name in files}
    assert len([*TopologicalSorter(graph).static_order()]) >= len(files)


def test_every_room_is_on_the_plan(files):
    assert {room(name) for name in files} == set(ROOMS)


def test_no_two_rooms_have_one_name(repository):
    names = [path.parent.name for path in (repository / 'dmsca_mm').rglob('__init__.py')]
    assert len(names) == len(set(names))


def test_tests_mirror_the_package(repository):
    package, tests = repository / 'dmsca_mm', repository / 'tests'
    for path in package.rglob('*.py'):
        if path.stem in ('__init__', '__main__', 'version', 'presets'):
            continue
        relative = path.relative_to(package)
        assert (tests / relative.parent / f'test_{path.name}').exists(), f'no test file for {relative}'


def test_picture_of_the_rooms_is_that_of_the_imports(rooms, repository):
    assert rooms.drawing(repository / 'dmsca_mm') in rooms.PAGE.read_text()
