"""Load this package's configs by name, ``dmsca_mm::faster_rcnn_r50_dmsca.py``, as mmengine loads a library's."""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import mmengine.config.utils
import mmengine.utils
from mmengine.config import Config

NAME = __package__.partition('.')[0]


def find_own_configs() -> None:
    """Make ``get_config`` and ``_base_`` find the configs in the ``.mim`` folder of this package.

    mmengine rejects libraries that are not in its table, and names without a folder, ``LIBRARY::FILE``. It looks for a
    package next to its metadata, which is wrong for an editable installation.
    """
    mmengine.config.utils.MODULE2PACKAGE[NAME] = NAME
    package_and_path = mmengine.config.utils._get_package_and_cfg_path
    installed_path = mmengine.utils.get_installed_path

    def _get_package_and_cfg_path(name: str) -> tuple[str, str]:
        scope, _, path = name.partition('::')
        return (NAME, path) if scope == NAME else package_and_path(name)

    def get_installed_path(package: str) -> str:
        return str(Path(__file__).parents[1]) if package == NAME else installed_path(package)

    for function in (_get_package_and_cfg_path, get_installed_path):
        _replace(function)
    path_and_scope = Config._get_cfg_path

    def _get_cfg_path(path: str, file: str) -> tuple[str, str | None]:
        found, scope = path_and_scope(path, file)
        return found, None if scope == NAME else scope  # as registries of types there are the libraries' alone

    Config._get_cfg_path = staticmethod(_get_cfg_path)


def _replace(function: Callable[..., object]) -> None:
    """Replace mmengine's function of the same name in every loaded mmengine module that has it."""
    for name, module in [*sys.modules.items()]:
        if name.partition('.')[0] == 'mmengine' and function.__name__ in vars(module):
            setattr(module, function.__name__, function)
