"""mmengine finds this package's configs by name, like those of its own libraries."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config

import dmsca_mm  # noqa: F401  # the package under test

CONFIGS = Path(__file__).parents[2] / 'configs'
NAMES = ['faster_rcnn_r50_dmsca.py', 'digits/upernet_r50_dmsca_digits.py']


@pytest.mark.parametrize('name', NAMES)
def test_config_is_that_of_the_file(name, repository):
    assert get_config(f'dmsca_mm::{name}').to_dict() == Config.fromfile(repository / 'configs' / name).to_dict()


def test_config_may_be_inherited(tmp_path):
    (tmp_path / 'mine.py').write_text(f'_base_ = "dmsca_mm::{NAMES[0]}"\nmodel = dict(backbone=dict(depth=101))\n')
    backbone = Config.fromfile(tmp_path / 'mine.py').model.backbone
    assert (backbone.depth, backbone.plugins[0].cfg.type) == (101, 'DMSCA')


@pytest.mark.parametrize('name', sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob('*.py')
                                        if '_base_' not in path.parts))
def test_a_config_that_is_inherited_has_the_types_of_its_file(name, tmp_path):
    (tmp_path / 'mine.py').write_text(f'_base_ = "dmsca_mm::{name}"\n')
    assert Config.fromfile(tmp_path / 'mine.py').to_dict() == Config.fromfile(CONFIGS / name).to_dict()


def test_other_libraries_are_found_as_before():
    assert get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model.type == 'RetinaNet'
    with pytest.raises(ValueError, match='relative config path'):
        get_config('mmdet::retinanet_r50_fpn_1x_coco.py')


@pytest.mark.parametrize('first', ['import dmsca_mm', 'import mmengine.hub, mmengine.runner'])
def test_all_of_mmengine_finds_them_whatever_is_imported_first(first):
    """Every module of mmengine that has a function for such names has this package's function."""
    listed = """
import sys, mmengine.hub, mmengine.runner, dmsca_mm
for name, module in [*sys.modules.items()]:
    for function in ('_get_package_and_cfg_path', 'get_installed_path'):
        if name.startswith('mmengine') and function in vars(module):
            print(name, vars(module)[function].__module__)"""
    found = subprocess.run([sys.executable, '-W', 'ignore', '-c', first + listed], capture_output=True, text=True,
                           env=dict(os.environ), check=True).stdout.splitlines()
    names = {line.split()[0] for line in found}
    assert {'mmengine.config.utils', 'mmengine.config.config', 'mmengine.hub.hub'} <= names
    assert {line.split()[1] for line in found} == {'dmsca_mm.compat.scope'}


def test_import_of_the_package_leaves_the_runner_alone():
    """Importing it takes longer than all the rest, and a model outside a run does not need it."""
    listed = "import sys, torch, mmengine; import dmsca_mm; print('mmengine.runner' in sys.modules)"
    found = subprocess.run([sys.executable, '-W', 'ignore', '-c', listed], capture_output=True, text=True, check=True)
    assert found.stdout == 'False\n'
