"""mPC, rPC and means against values computed by hand."""
import pytest

from dmsca_mm.analysis.robustness import Summary

CELLS = {('gaussian_noise', 1): 0.4, ('gaussian_noise', 3): 0.2, ('shot_noise', 1): 0.3, ('shot_noise', 3): 0.1,
         ('fog', 1): 0.5, ('fog', 3): 0.3}


def summary(clean=0.6, cells=CELLS):
    return Summary('coco/bbox_mAP', '', clean, cells)


def test_means_are_those_by_hand():
    found = summary()
    assert found.mpc == pytest.approx(1.8 / 6)
    assert found.rpc == pytest.approx(0.5)
    assert found.by_corruption == pytest.approx(dict(gaussian_noise=0.3, shot_noise=0.2, fog=0.4))
    assert found.by_group == pytest.approx(dict(noise=0.25, weather=0.4))
    assert found.by_severity == pytest.approx({1: 0.4, 3: 0.2})


def test_order_is_that_of_the_groups_whatever_came_first():
    found = summary(cells=dict(reversed(CELLS.items())))
    assert list(found.by_corruption) == ['gaussian_noise', 'shot_noise', 'fog']
    assert found.severities == (1, 3)


def test_relative_performance_of_a_model_that_finds_nothing_is_undefined():
    assert summary(clean=0.0).rpc is None


@pytest.mark.parametrize('cells', [{}, {key: value for key, value in CELLS.items() if key != ('fog', 3)}])
def test_table_with_holes_is_refused(cells):
    with pytest.raises(ValueError, match='full'):
        summary(cells=cells)
