"""Which OpenMMLab packages are importable, and what to do about those that are not."""
from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from ..errors import UsageError

_INSTALL = {
    'mmcv': 'pip install --no-build-isolation mmcv==2.1.0 (after torch and "setuptools<81")',
    'mmdet': 'pip install mmdet==3.3.0',
    'mmseg': 'pip install mmsegmentation==1.2.2 ftfy regex',
}


def require(*libraries: str) -> None:
    """Check that OpenMMLab libraries can be used; they are looked up by import name, so any build of them will do.

    Args:
        *libraries: of ``'mmdet'``, ``'mmseg'``. mmcv with its compiled operators, which both need, is checked as well.

    Raises:
        UsageError: one is missing, or mmcv came without its operators.
    """
    for library in ('mmcv', *libraries):
        if find_spec(library) is None:
            how = _INSTALL.get(library, f'pip install {library}')
            raise UsageError(f'{library} is not installed: run "{how}", or "make setup" for the whole tested set')
    try:
        import_module('mmcv._ext')
    except ImportError as error:
        raise UsageError(f'mmcv has no usable compiled operators ({error}): torch has to be there when mmcv is built; '
                         'run "pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation '
                         'mmcv==2.1.0"') from None
