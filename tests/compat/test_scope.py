"""mmengine finds this package's configs by name, as those of its own libraries."""
import os
import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.hub import get_config

from dmsca_mm.compat import scope

NAMES = ['faster_rcnn_r50_dmsca.py', 'digits/upernet_r50_dmsca_digits.py']


@pytest.mark.parametrize('name', NAMES)
def test_config_is_that_of_the_file(name, repository):
    assert get_config(f'dmsca_mm::{name}').to_dict() == Config.fromfile(repository / 'configs' / name).to_dict()


def test_config_may_be_inherited(tmp_path):
    (tmp_path / 'mine.py').write_text(f'_base_ = "dmsca_mm::{NAMES[0]}"\nmodel = dict(backbone=dict(depth=101))\n')
    backbone = Config.fromfile(tmp_path / 'mine.py').model.backbone
    assert (backbone.depth, backbone.plugins[0].cfg.type) == (101, 'DMSCA')


def test_other_libraries_are_found_as_before():
    assert get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py').model.type == 'RetinaNet'
    with pytest.raises(ValueError, match='relative config path'):
        get_config('mmdet::retinanet_r50_fpn_1x_coco.py')


def test_readers_are_all_that_hold_the_functions():
    """A version of mmengine that reads such names in another place would still refuse them there."""
    listed = 'import sys, mmengine.hub, mmengine.runner\nfor name, module in [*sys.modules.items()]:\n' \
             '    if name[:8] == "mmengine" and hasattr(module, "_get_package_and_cfg_path"): print(name)'
    found = subprocess.run([sys.executable, '-W', 'ignore', '-c', listed], capture_output=True, text=True,
                           env=dict(os.environ), check=True).stdout.split()
    assert {*found} == {reader.__name__ for reader in scope.READERS}
