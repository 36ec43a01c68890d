"""This package's configs by name, ``dmsca_mm::faster_rcnn_r50_dmsca.py``, wherever mmengine takes a library's."""
from __future__ import annotations

from pathlib import Path

import mmengine.config.config
import mmengine.config.utils
import mmengine.hub.hub

NAME = __package__.partition('.')[0]
READERS = mmengine.config.utils, mmengine.config.config, mmengine.hub.hub
"""Modules of mmengine that hold the functions for such names."""


def find_own_configs() -> None:
    """From here on ``get_config`` and ``_base_`` find the configs in the ``.mim`` folder of this package.

    mmengine refuses libraries that are not in its table and names without a folder, ``LIBRARY::FILE``. It looks for a
    package where its metadata lie, which is elsewhere for an editable installation.
    """
    mmengine.config.utils.MODULE2PACKAGE[NAME] = NAME
    package_and_path = mmengine.config.utils._get_package_and_cfg_path
    installed_path = mmengine.hub.hub.get_installed_path

    def own_package_and_path(name: str) -> tuple[str, str]:
        scope, _, path = name.partition('::')
        return (NAME, path) if scope == NAME else package_and_path(name)

    def own_installed_path(package: str) -> str:
        return str(Path(__file__).parents[1]) if package == NAME else installed_path(package)

    for reader in READERS:
        reader._get_package_and_cfg_path = own_package_and_path
        reader.get_installed_path = own_installed_path
