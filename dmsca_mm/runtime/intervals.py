"""95 % confidence intervals for metrics of few images."""
from __future__ import annotations

from math import sqrt

import numpy as np

FEW = 100
"""A metric of fewer images than this is reported with its interval."""
_Z = 1.959964
"""95 % of the normal distribution lie within this many standard deviations."""


def binomial(share: float, images: int) -> tuple[float, float]:
    """Return the ends of the confidence interval of a proportion of images.

    Args:
        share: the proportion, 0 to 1.
        images: number of images, at least 1.

    Source:
        Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    scale = 1 + _Z ** 2 / images
    centre = (share + _Z ** 2 / (2 * images)) / scale
    reach = _Z * sqrt(share * (1 - share) / images + (_Z / (2 * images)) ** 2) / scale
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the confidence interval of a mean over images, from 1000 resamples with replacement.

    Args:
        values: one value per image, (N,), or per image and threshold, (N, T), for the highest of the T means.

    Source:
        the percentile interval of Efron 1979, doi 10.1214/aos/1176344552.
    """
    images = len(values)
    counts = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), 1000)
    means = counts @ values.reshape(images, -1) / images
    low, high = np.quantile(means.max(1), (0.025, 0.975))
    return float(low), float(high)


def of_few(figure: float, percent: bool, images: int) -> str:
    """Return a sentence with the interval of a metric of few images; empty for ``FEW`` images or more.

    Args:
        figure: a metric whose highest value is 1 or, in percent, 100; below 0 it has no interval.
        percent: whether it is in percent.
        images: number of images, at least 1.
    """
    scale = 100 if percent else 1
    if images >= FEW or figure < 0:  # COCO reports -1 for data without objects
        return ''
    ends = [f'{scale * end:.{1 if percent else 3}f}' for end in binomial(min(figure / scale, 1.0), images)]
    return (f'only {images} images. As a share of so many, the figure has the 95 % interval {ends[0]} to '
            f"{ends[1]} (Wilson's binomial interval; for mAP and mIoU, which are no shares of images, a rough guide)")
