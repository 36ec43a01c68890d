"""The maintained forks of OpenMMLab's packages: other distribution names, the same import names."""
from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from mmengine.config.utils import MODULE2PACKAGE


def find_by_import_name() -> None:
    """From here on mmengine finds a library that was installed under another distribution name, as a fork of it is.

    mmengine looks ``mmseg::NAME`` up as the distribution ``mmsegmentation``. Where that is missing it refuses to read
    a config with such a ``_base_``, and ``mmengine.hub.get_config`` installs it, over the installed fork. Libraries
    whose distribution is installed, and those that cannot be imported, are not changed.
    """
    for library, package in MODULE2PACKAGE.items():
        if find_spec(library) is not None and not installed(package):
            MODULE2PACKAGE[library] = library


def installed(package: str) -> bool:
    """Whether a distribution of that name is installed.

    Args:
        package: the name that pip knows it by.
    """
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
