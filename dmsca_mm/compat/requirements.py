"""Check which OpenMMLab packages are installed, in which version, and how to install the others."""
from __future__ import annotations

from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import torch
from mmengine.config.utils import MODULE2PACKAGE

from ..errors import UsageError
from . import forks, torchvision

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
"""Import names of the libraries whose data sets this package supports."""
_PACKAGES = {'mmcv': 'mmcv==2.1.0', 'mmdet': 'mmdet==3.3.0', 'mmseg': 'mmsegmentation==1.2.2 ftfy regex',
             'mmpretrain': 'mmpretrain==1.2.0'}
_FORKS = {'mmcv': 'onedl-mmcv==2.3.6', 'mmdet': 'onedl-mmdetection==3.5.1', 'mmseg': 'onedl-mmsegmentation==1.4.2',
          'mmpretrain': 'onedl-mmpretrain==1.3.6'}
"""Packages to install next to the original mmengine, and next to its fork: mmdet 3.3.0 rejects the forks' mmcv."""
SETUPTOOLS = "pip install 'setuptools<81'"
"""Installs ``pkg_resources`` and, on Python 3.12 and newer, ``distutils``."""
OPENCV = 'pip uninstall -y opencv-python && pip install --force-reinstall --no-deps opencv-python-headless'
"""Installs the build that needs no library of a desktop, such as libGL."""
_DISTRIBUTIONS = ('mmengine', 'mmcv', 'mmdet', 'mmsegmentation', 'mmpretrain',
                  'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmsegmentation', 'onedl-mmpretrain')


class BrokenLibraryError(UsageError):
    """A library that cannot be used.

    Args:
        reason: why.
        command: shell command that fixes it.
        otherwise: an alternative, for the message.
    """

    def __init__(self, reason: str, command: str, otherwise: str = '') -> None:
        super().__init__(f'{reason}: run "{command}"{otherwise}')
        self.reason, self.command = reason, command


def require(*libraries: str) -> None:
    """Check that OpenMMLab libraries can be used. They are looked up by import name, so any build works.

    Args:
        *libraries: such as ``'mmdet'``, ``'mmseg'``. mmcv and its compiled operators, which they need, are always
            checked. Each library is imported, mmpretrain with or without torchvision.

    Raises:
        BrokenLibraryError: a library, a package that it imports or distutils is missing, OpenCV or a library cannot be
            imported, mmcv has no compiled operators, or, for mmdet, none for the GPU that is there.
    """
    for library in ('mmcv', *libraries):
        if find_spec(library) is None:
            raise BrokenLibraryError(f'{library} is not installed', installing(library),
                                     ', or "make setup" for the whole tested set')
    if find_spec('distutils') is None:
        raise BrokenLibraryError('distutils is missing, which mmengine imports and setuptools provides', SETUPTOOLS)
    try:
        import_module('cv2')  # before mmcv, which imports it
    except ImportError as error:
        raise BrokenLibraryError(f'OpenCV cannot be imported ({error})', OPENCV) from None
    try:
        import_module('mmcv._ext')
    except ImportError as error:
        raise BrokenLibraryError(f'mmcv has no usable compiled operators ({error})', building_mmcv()) from None
    if 'mmdet' in libraries and lacks_gpu_operators():
        raise BrokenLibraryError('mmcv was compiled without CUDA, and detectors need its operators on the GPU',
                                 building_mmcv(), ', or hide the GPU: CUDA_VISIBLE_DEVICES=')
    for library in libraries:
        if library in LIBRARIES:
            _import(library)


def lacks_gpu_operators() -> bool:
    """Return whether there is a GPU and mmcv, which must be usable, was compiled without CUDA."""
    return torch.cuda.is_available() and import_module('mmcv._ext').get_compiling_cuda_version() == 'not available'


def installing(*libraries: str) -> str:
    """Return the command that installs libraries in compatible versions.

    Args:
        *libraries: their import names; ``'mmcv'`` first if one of them rejects the installed mmcv.
    """
    packages = [_packages().get(library) or MODULE2PACKAGE.get(library, library) for library in libraries]
    isolation = '--no-build-isolation ' if 'mmcv' in libraries else ''  # its build needs the installed torch
    return f'pip install {isolation}{" ".join(packages)}'


def building_mmcv() -> str:
    """Return the command that rebuilds mmcv for the installed torch."""
    return f'pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation {_packages()["mmcv"]}'


def _packages() -> dict[str, str]:
    return _FORKS if forks.installed('onedl-mmengine') else _PACKAGES


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of OpenMMLab's and other distributions, as far as they are installed.

    Args:
        *packages: the other distributions.
    """
    found = {}
    for package in (*packages, *_DISTRIBUTIONS):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _import(library: str) -> None:
    """Import every part of a library that registers something: some of what it needs, its installation leaves out.

    mmpretrain needs torchvision then, and rarely later.
    """
    try:
        with torchvision.stand_ins() if library == 'mmpretrain' else nullcontext():
            for part in ('models', 'datasets', 'engine', 'evaluation', 'visualization'):
                import_module(f'{library}.{part}')
    # They assert the version of mmcv. A ValueError is that of a package that was compiled for another NumPy.
    except (ImportError, AssertionError, RuntimeError, AttributeError, ValueError) as error:
        missing = getattr(error, 'name', None) if isinstance(error, ModuleNotFoundError) else None
        if missing and '.' not in missing and missing not in ('torchvision', 'mmcv', 'mmengine', *LIBRARIES):
            raise BrokenLibraryError(f'{library} cannot be imported ({error})', f'pip install {missing}') from None
        if 'torchvision' in str(error):
            raise BrokenLibraryError(f'torchvision does not fit this torch ({error})', 'pip uninstall -y torchvision',
                                     ', or install the one that does') from None
        raise BrokenLibraryError(f'{library} cannot be imported ({" ".join(str(error).split())})',
                                 installing('mmcv', library)) from None
