"""DMSCA, dynamic multi-scale channel-spatial attention, as a plugin for OpenMMLab backbones.

``import dmsca_mm`` registers the operator as ``type='DMSCA'``. It makes mmengine find forks of its libraries and torch
load mmengine's checkpoints, and it imports neither mmdet nor mmseg.
"""
from __future__ import annotations

from importlib.util import find_spec

for _package, _command in (('torch', 'pip install torch'), ('mmengine', 'pip install mmengine')):
    if find_spec(_package) is None:
        raise ModuleNotFoundError(f'dmsca_mm needs {_package}, which is not installed: run "{_command}", '
                                  'or "make setup" in a checkout for the whole tested set', name=_package)

from . import backbones  # noqa: E402, F401 (it registers PluginResNet)
from .attention import DMSCA  # noqa: E402
from .checkpoint import allow_training_state  # noqa: E402
from .compat import forks, scope  # noqa: E402
from .plugins import dmsca, plugin  # noqa: E402
from .version import __version__  # noqa: E402

forks.find_by_import_name()
scope.find_own_configs()
allow_training_state()

__all__ = ['DMSCA', '__version__', 'dmsca', 'plugin']
