"""Which OpenMMLab packages are there, of which version, and what to do about those that are not."""
from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from mmengine.config.utils import MODULE2PACKAGE

from ..errors import UsageError
from . import forks, torchvision

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
"""Those whose data sets are known here, by the names that they are imported by."""
_PACKAGES = {'mmcv': 'mmcv==2.1.0', 'mmdet': 'mmdet==3.3.0', 'mmseg': 'mmsegmentation==1.2.2 ftfy regex',
             'mmpretrain': 'mmpretrain==1.2.0'}
_FORKS = {'mmcv': 'onedl-mmcv==2.3.6', 'mmdet': 'onedl-mmdetection==3.5.1', 'mmseg': 'onedl-mmsegmentation==1.4.2',
          'mmpretrain': 'onedl-mmpretrain==1.3.6'}
"""What to install beside a mmengine of its own name, and beside its fork: mmdet 3.3.0 refuses the forks' mmcv."""
_DISTRIBUTIONS = ('mmengine', 'mmcv', 'mmdet', 'mmsegmentation', 'mmpretrain',
                  'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmsegmentation', 'onedl-mmpretrain')


class BrokenLibraryError(UsageError):
    """A library that cannot be used.

    Args:
        reason: why.
        command: mends it.
        otherwise: another way out, for the message.
    """

    def __init__(self, reason: str, command: str, otherwise: str = '') -> None:
        super().__init__(f'{reason}: run "{command}"{otherwise}')
        self.reason, self.command = reason, command


def require(*libraries: str) -> None:
    """Check that OpenMMLab libraries can be used; they are looked up by import name, so any build of them will do.

    Args:
        *libraries: such as ``'mmdet'``, ``'mmseg'``. mmcv with its compiled operators, which they need, is checked as
            well, and mmpretrain is imported, with torchvision or without.

    Raises:
        BrokenLibraryError: one is missing, mmcv came without its operators, or mmpretrain lacks something that it
            needs.
    """
    for library in ('mmcv', *libraries):
        if find_spec(library) is None:
            raise BrokenLibraryError(f'{library} is not installed', installing(library),
                                     ', or "make setup" for the whole tested set')
    try:
        import_module('mmcv._ext')
    except ImportError as error:
        raise BrokenLibraryError(f'mmcv has no usable compiled operators ({error})', building_mmcv()) from None
    if 'mmpretrain' in libraries:
        _import_mmpretrain()


def installing(*libraries: str) -> str:
    """The command that installs libraries in versions that fit each other.

    Args:
        *libraries: their import names; where one refuses its mmcv, ``'mmcv'`` first.
    """
    packages = [_packages().get(library) or MODULE2PACKAGE.get(library, library) for library in libraries]
    isolation = '--no-build-isolation ' if 'mmcv' in libraries else ''  # its build needs the torch that is there
    return f'pip install {isolation}{" ".join(packages)}'


def building_mmcv() -> str:
    """The command that builds mmcv anew, for the torch that is there."""
    return f'pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation {_packages()["mmcv"]}'


def _packages() -> dict[str, str]:
    return _FORKS if forks.installed('onedl-mmengine') else _PACKAGES


def versions(*packages: str) -> dict[str, str]:
    """The versions of distributions and of OpenMMLab's; those that are not installed are left out.

    Args:
        *packages: other distributions.
    """
    found = {}
    for package in (*packages, *_DISTRIBUTIONS):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _import_mmpretrain() -> None:
    """Import every part that registers something: it asks for torchvision then, and hardly ever again."""
    try:
        with torchvision.stand_ins():
            for part in ('models', 'datasets', 'engine', 'evaluation', 'visualization'):
                import_module(f'mmpretrain.{part}')
    except (ImportError, AssertionError) as error:  # it asserts which mmcv it takes
        raise BrokenLibraryError(f'mmpretrain cannot be imported ({error})', installing('mmcv', 'mmpretrain')) from None
