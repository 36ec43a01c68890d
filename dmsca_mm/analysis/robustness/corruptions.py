"""The fifteen common corruptions in five severities, applied deterministically to one image at a time.

Source: Hendrycks & Dietterich 2019 (arXiv 1903.12261); for images of any size Michaelis et al. 2019 (arXiv 1907.07484),
whose package `imagecorruptions` computes them.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from types import ModuleType

import numpy as np

from ...errors import ImageError, UsageError

GROUPS = {
    'noise': ('gaussian_noise', 'shot_noise', 'impulse_noise'),
    'blur': ('defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur'),
    'weather': ('snow', 'frost', 'fog', 'brightness'),
    'digital': ('contrast', 'elastic_transform', 'pixelate', 'jpeg_compression'),
}
CORRUPTIONS = tuple(name for group in GROUPS.values() for name in group)
SEVERITIES = (1, 2, 3, 4, 5)
LEAST_SIDE = 32  # pixels; the package refuses smaller images
PACKAGE = 'imagecorruptions-imaug'

_WITH_SEED = ('impulse_noise', 'glass_blur')
"""Corruptions that take a seed for their own generator; all others use numpy's global generator."""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Select corruptions by name or group name. Each is returned once, in the order of :data:`CORRUPTIONS`.

    Raises:
        UsageError: a name is neither.
    """
    for name in names:
        if name not in GROUPS and name not in CORRUPTIONS:
            raise UsageError(f'unknown corruption {name!r}: choose among the groups {", ".join(GROUPS)} and '
                             f'{", ".join(CORRUPTIONS)}')
    wanted = {corruption for name in names for corruption in GROUPS.get(name, (name,))}
    return tuple(name for name in CORRUPTIONS if name in wanted)


def check_severities(severities: Sequence[int]) -> None:
    """Refuse unknown severities.

    Raises:
        UsageError: a severity is not in :data:`SEVERITIES`.
    """
    for severity in severities:
        if severity not in SEVERITIES:
            raise UsageError(f'severity {severity} does not exist: choose among {", ".join(map(str, SEVERITIES))}')


@cache
def library() -> ModuleType:
    """Import the package that computes the corruptions.

    Raises:
        UsageError: the package is missing; another one with the same import name does not count.
    """
    try:
        version(PACKAGE)  # an older package has the same import name but two functions that cannot be seeded
        import imagecorruptions
    except ImportError as error:
        raise UsageError(f'{PACKAGE}, which computes the corruptions, cannot be used ({error}): run "pip install '
                         f'{PACKAGE}"') from None
    return imagecorruptions


def corrupt(image: np.ndarray, corruption: str, severity: int, seed: int) -> np.ndarray:
    """Return a corrupted copy of an image. The same arguments give the same bytes in any process and in any order.

    Args:
        image: (H, W, 3) uint8, BGR as in OpenMMLab, at least 32 pixels on each side.
        corruption: one of :data:`CORRUPTIONS`.
        severity: 1 (weak) to 5.
        seed: seed of the random numbers, 0 to 2³² - 1. The state of numpy's global generator is restored.

    Raises:
        ImageError: the image has another shape or type, or is too small.
        UsageError: the corruption or severity is unknown, or the package is missing.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f'an image of shape {image.shape} and type {image.dtype} cannot be corrupted: it must be '
                         '(height, width, 3) and uint8')
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise ImageError(f'an image of {width}×{height} pixels cannot be corrupted: it must have at least {LEAST_SIDE} '
                         'a side')
    if corruption not in CORRUPTIONS:
        raise UsageError(f'unknown corruption {corruption!r}: choose among {", ".join(CORRUPTIONS)}')
    check_severities([severity])
    options = dict(seed=seed) if corruption in _WITH_SEED else {}
    package, state = library(), np.random.get_state()
    np.random.seed(seed)
    try:
        found = package.corrupt(np.ascontiguousarray(image[..., ::-1]), severity, corruption, **options)
    finally:
        np.random.set_state(state)
    return np.ascontiguousarray(found[..., ::-1])
