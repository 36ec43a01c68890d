"""The intervals match known values and have the promised coverage on new samples."""
import numpy as np
import pytest

from dmsca_mm.runtime.intervals import binomial, bootstrap, of_few


@pytest.mark.parametrize(('share', 'images', 'low', 'high'), [
    (0.5, 10, 0.2366, 0.7634), (0.0, 5, 0.0, 0.4345), (1.0, 5, 0.5655, 1.0), (0.9, 100, 0.8256, 0.9448)])
def test_binomial_interval_is_wilson_s(share, images, low, high):
    assert binomial(share, images) == pytest.approx((low, high), abs=5e-4)


def test_only_a_metric_of_few_images_with_objects_has_an_interval():
    assert 'interval 0.237 to 0.763' in of_few(0.5, False, 10)
    assert of_few(0.5, False, 100) == of_few(-1.0, False, 10) == '', 'COCO reports -1 for data without objects'


def test_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = [low <= 0.5 <= high for low, high in (bootstrap(generator.random(50)) for _ in range(300))]
    assert 0.9 < np.mean(covered) < 0.99


def test_bootstrap_takes_the_best_threshold_of_each_draw():
    values = np.stack([np.zeros(20), np.linspace(0, 1, 20)], 1)
    assert bootstrap(values) == pytest.approx(bootstrap(values[:, 1]))
    assert bootstrap(np.ones(3)) == (1.0, 1.0)
