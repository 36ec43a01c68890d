"""Numbers for how well a model's map aligns with the annotated objects.

A map is first scaled so that its lowest pixel is 0 and its highest is 1. Then, for the pixels of an image:

- pointing: whether the highest pixel is on an object (Zhang et al. 2016, arXiv 1608.00507).
- energy: the share of the map's sum that is on objects (Wang et al. 2020, arXiv 1910.01279).
- iou: IoU of the objects and the pixels at or above a threshold, the best one threshold for all images.
- precision: the average precision of the pixels as a score for being on an object.

The expected pointing, energy and precision of a random map equal the share of the area that objects cover.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...errors import UsageError
from ...runtime.intervals import bootstrap

SIZES = {'small': (0, 32 ** 2), 'medium': (32 ** 2, 96 ** 2), 'large': (96 ** 2, float('inf'))}
"""COCO's object sizes: lower (inclusive) and upper (exclusive) bound of the area, in pixels of the file."""
THRESHOLDS = np.linspace(0, 1, 51)
Targets = list[tuple[str, np.ndarray, np.ndarray]]


class Objects(NamedTuple):
    """The annotated objects of an image.

    Attributes:
        masks: (K, H, W), bool, one mask for each object.
        ignored: (H, W), bool, pixels that do not count, such as those without an annotation.
    """

    masks: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(cls, masks: list[np.ndarray], ignored: np.ndarray) -> Objects:
        """Create from a list of masks, which may be empty."""
        return cls(np.stack(masks) if masks else np.zeros((0, *ignored.shape), bool), ignored)

    def targets(self) -> Targets:
        """Return the size, the pixels on its objects and the pixels that count, for all objects and for each size.

        Pixels of objects of other sizes do not count. Sizes without objects are skipped.
        """
        every, areas, found = self.masks.any(0), self.masks.sum((1, 2)), []
        for size, (least, below) in {'all': (0, float('inf')), **SIZES}.items():
            target = self.masks[(areas >= least) & (areas < below)].any(0) & ~self.ignored
            if target.any():
                found.append((size, target, (target | ~every) & ~self.ignored))
        return found


class Score(NamedTuple):
    """The numbers of one map for one image; ``ious`` has one value for each of ``THRESHOLDS``."""

    pointing: float
    energy: float
    area: float
    precision: float
    ious: np.ndarray


def score(values: np.ndarray, target: np.ndarray, counted: np.ndarray) -> Score:
    """Compare a map with the objects of an image.

    Args:
        values: the map, (H, W), in any range.
        target: (H, W), bool, the pixels on objects, at least one.
        counted: (H, W), bool, the pixels that count, including all of ``target``.

    Raises:
        UsageError: the package scikit-learn is missing.
    """
    try:
        from sklearn.metrics import average_precision_score
    except ImportError:
        raise UsageError('the alignment needs the package scikit-learn: pip install scikit-learn') from None
    values, target = values[counted].astype(float), target[counted]
    low, high = values.min(), values.max()
    values = (values - low) / (high - low) if high > low else np.ones_like(values)  # a constant map becomes 1
    highest = target[values == 1]
    above = np.digitize(values, THRESHOLDS) - 1  # index of the highest threshold that a pixel reaches
    reached, hit = (np.bincount(above, weights, len(THRESHOLDS))[::-1].cumsum()[::-1] for weights in (None, target))
    return Score(pointing=highest.mean(), energy=values[target].sum() / values.sum(), area=target.mean(),
                 precision=average_precision_score(target, values), ious=hit / (reached + target.sum() - hit))


class Tally:
    """Scores of many images by kind of map, stage and object size."""

    def __init__(self) -> None:
        self.scores: dict[tuple[str, int, str], list[Score]] = {}

    def add(self, kind: str, stage: int, values: np.ndarray, targets: Targets) -> None:
        """Add the scores of one map.

        Args:
            kind: kind of map, such as ``'total'``.
            stage: stage of the backbone.
            values: the map, (H, W); pixels that are NaN do not count.
            targets: of the objects to compare with, from :meth:`Objects.targets`.
        """
        seen = ~np.isnan(values)
        for size, target, counted in targets:
            if (target & seen).any():
                self.scores.setdefault((kind, stage, size), []).append(score(values, target & seen, counted & seen))

    def summary(self) -> list[dict[str, Any]]:
        """Return a row for each kind, stage and size, with means over the images that have such objects.

        ``interval`` holds the bounds of each number's 95 % interval, see :func:`intervals.bootstrap`.
        """
        rows = []
        for (kind, stage, size), scores in self.scores.items():
            values = {name: np.array([getattr(each, name) for each in scores])
                      for name in ('pointing', 'energy', 'area', 'precision')}
            means = {name: float(each.mean()) for name, each in values.items()}
            every = np.stack([each.ious for each in scores])
            ious = every.mean(0)
            interval = {name: list(bootstrap(each)) for name, each in {**values, 'iou': every}.items()}
            rows.append(dict(map=kind, stage=stage, size=size, images=len(scores), **means, iou=float(ious.max()),
                             threshold=float(THRESHOLDS[ious.argmax()]), interval=interval))
        return rows
