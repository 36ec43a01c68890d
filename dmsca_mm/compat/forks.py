"""Support the maintained forks of OpenMMLab's packages: other distribution names, the same import names."""
from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from mmengine.config.utils import MODULE2PACKAGE


def find_by_import_name() -> None:
    """Make mmengine find a library that is installed under another distribution name, such as a fork.

    mmengine looks up ``mmseg::NAME`` as the distribution ``mmsegmentation``. If that is missing, mmengine rejects a
    config with such a ``_base_``, and ``mmengine.hub.get_config`` installs it over the fork. Libraries whose
    distribution is installed, and those that cannot be imported, are unchanged.
    """
    for library, package in MODULE2PACKAGE.items():
        if find_spec(library) is not None and not installed(package):
            MODULE2PACKAGE[library] = library


def installed(package: str) -> bool:
    """Return whether a distribution is installed.

    Args:
        package: its name for pip.
    """
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
