"""Alignment numbers against values by hand on small maps and against other formulas on random maps."""
import sys

import numpy as np
import pytest

from dmsca_mm.analysis.alignment.numbers import THRESHOLDS, Objects, Tally, score
from dmsca_mm.errors import UsageError

EVERYWHERE = np.ones((4, 5), bool)


def left(columns, shape=(4, 5)):
    mask = np.zeros(shape, bool)
    mask[:, :columns] = True
    return mask


def test_map_that_is_the_mask_is_perfect():
    found = score(left(2) * 7.0 - 3, left(2), EVERYWHERE)
    assert (found.pointing, found.energy, found.area, found.precision, found.ious.max()) == (1, 1, 0.4, 1, 1)


def test_map_that_is_the_opposite_is_nothing():
    found = score(-1.0 * left(2), left(2), EVERYWHERE)
    assert (found.pointing, found.energy) == (0, 0)
    assert found.ious.max() == pytest.approx(0.4), 'all pixels above the lowest threshold'
    assert found.precision == pytest.approx(0.4)


def test_flat_map_is_chance():
    found = score(np.full((4, 5), 0.3), left(2), EVERYWHERE)
    assert (found.pointing, found.energy, found.precision, found.ious.max()) == pytest.approx((0.4, 0.4, 0.4, 0.4))


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.metrics', None)
    with pytest.raises(UsageError, match='scikit-learn: pip install scikit-learn'):
        score(np.ones((4, 5)), left(2), EVERYWHERE)


def test_by_hand():
    values = np.array([[0.0, 1.0, 2.0, 4.0]])
    target = np.array([[False, True, False, True]])
    found = score(values, target, np.ones((1, 4), bool))
    assert found.energy == pytest.approx(5 / 7)
    assert found.precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.ious[[0, 1, 13, 26, 50]] == pytest.approx([2 / 4, 2 / 3, 1 / 3, 1 / 2, 1 / 2])


def test_random_maps_agree_with_plain_loops():
    random = np.random.default_rng(0)
    values, target = random.random((9, 11)), random.random((9, 11)) < 0.3
    counted = target | (random.random((9, 11)) < 0.8)
    found = score(values, target, counted)
    scaled = (values - values[counted].min()) / np.ptp(values[counted])
    ious = [(counted & target & (scaled >= t)).sum() / (counted & (target | (scaled >= t))).sum() for t in THRESHOLDS]
    assert found.ious == pytest.approx(ious)
    assert found.pointing == target[counted][np.argmax(values[counted])]
    ranked = target[counted][np.argsort(-values[counted])]
    precisions = [ranked[:place + 1].mean() for place in range(len(ranked)) if ranked[place]]
    assert found.precision == pytest.approx(np.mean(precisions))


def test_random_maps_are_chance_on_average():
    random = np.random.default_rng(0)
    target = left(10, (30, 30))
    scores = [score(random.random((30, 30)), target, np.ones_like(target)) for _ in range(200)]
    for name in ('pointing', 'energy', 'precision'):
        assert np.mean([getattr(each, name) for each in scores]) == pytest.approx(1 / 3, abs=0.1)


def test_sizes_are_cocos_and_objects_of_others_count_neither_way():
    masks = np.zeros((2, 100, 100), bool)
    masks[0, :10, :10] = True  # 100 pixels: small
    masks[1, 40:, 40:] = True  # 3600 pixels: medium
    ignored = np.zeros((100, 100), bool)
    ignored[:5, :5] = True
    found = {size: (target.sum(), counted.sum()) for size, target, counted in Objects(masks, ignored).targets()}
    assert found == {'all': (3675, 9975), 'small': (75, 9975 - 3600), 'medium': (3600, 9975 - 75)}


def test_summary_means_over_images_and_takes_one_threshold_for_all():
    tally = Tally()
    nothing = np.zeros((4, 5), bool)
    maps = (np.array([[1.0, 0.5, 0, 0, 0]] * 4), np.array([[1.0, 0.2, 0, 0, 0]] * 4))
    for values in maps:
        tally.add('total', 3, values, Objects(left(1)[None], nothing).targets())
    row, = (row for row in tally.summary() if row['size'] == 'all')
    assert (row['map'], row['stage'], row['images'], row['pointing'], row['area']) == ('total', 3, 2, 1, 0.2)
    assert row['energy'] == pytest.approx((1 / 1.5 + 1 / 1.2) / 2)
    assert (row['iou'], row['threshold']) == (1, pytest.approx(0.52))


def test_pixels_that_the_model_does_not_see_count_neither_way():
    values = np.random.default_rng(0).random((4, 5))
    values[:, 3:] = np.nan
    whole, part = Tally(), Tally()
    whole.add('total', 1, values, Objects(left(1)[None], np.zeros((4, 5), bool)).targets())
    part.add('total', 1, values[:, :3], Objects(left(1, (4, 3))[None], np.zeros((4, 3), bool)).targets())
    assert whole.summary() == part.summary()


def test_image_without_objects_counts_nothing():
    tally = Tally()
    tally.add('total', 1, np.ones((4, 5)), Objects(np.zeros((0, 4, 5), bool), np.zeros((4, 5), bool)).targets())
    assert tally.summary() == []
