"""How far a figure of a few images may be from the one of many: 95 % intervals."""
from __future__ import annotations

from math import sqrt

import numpy as np

FEW = 100
"""Below so many images a figure is given with its interval."""
_Z = 1.959964
"""Of the normal distribution, 95 % lie within so many standard deviations."""


def binomial(share: float, images: int) -> tuple[float, float]:
    """Ends of the interval of a share of images.

    Args:
        share: 0 to 1.
        images: at least 1.

    Source:
        Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    scale = 1 + _Z ** 2 / images
    centre = (share + _Z ** 2 / (2 * images)) / scale
    reach = _Z * sqrt(share * (1 - share) / images + (_Z / (2 * images)) ** 2) / scale
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """Ends of the interval of a mean over images, from 1000 draws of as many images with replacement.

    Args:
        values: of each image, (N,), or at each of several thresholds, (N, T): then of the highest mean.

    Source:
        the percentile interval of Efron 1979, doi 10.1214/aos/1176344552.
    """
    images = len(values)
    counts = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), 1000)
    means = counts @ values.reshape(images, -1) / images
    low, high = np.quantile(means.max(1), (0.025, 0.975))
    return float(low), float(high)


def of_few(figure: float, percent: bool, images: int) -> str:
    """How far a figure of few images may be from that of many, in words; empty where they are many.

    Args:
        figure: a metric, whose highest value is 1 or, in per cent, 100.
        percent: whether it is in per cent.
        images: how many it is of, at least 1.
    """
    if images >= FEW:
        return ''
    scale = 100 if percent else 1
    ends = [f'{scale * end:.{1 if percent else 3}f}' for end in binomial(min(figure / scale, 1.0), images)]
    return (f'only {images} images. As a share of so many, the figure has the 95 % interval {ends[0]} to '
            f"{ends[1]} (Wilson's binomial interval; for mAP and mIoU, which are no shares of images, a rough guide)")
