"""The study's statistics: paired differences, their intervals and Holm's correction."""
import pandas as pd
import pytest
import studies
import study_statistics
from scipy.stats import t as student
from study_examples import table_of


def test_differences_are_paired_and_their_interval_is_students():
    found = study_statistics.compare(table_of(none=[40, 50, 30], dmsca=[44, 52, 36], se=[41]), studies.STUDIES)
    line = found[(found.contender == 'dmsca') & (found.quantity == 'clean')].iloc[0]
    assert line['mean'] == pytest.approx(4)
    assert line.half == pytest.approx(student.ppf(0.975, 2) * 2 / 3 ** 0.5)
    assert {*found.contender} == {'dmsca'}, 'one seed has no interval'


def test_no_difference_is_given_of_fewer_seeds_than_asked_for():
    rows = table_of(none=[40, 50, 30], dmsca=[44, 52, 36], se=[41, 52])
    assert {*study_statistics.compare(rows, studies.STUDIES, 3).contender} == {'dmsca'}
    assert {*study_statistics.compare(rows, studies.STUDIES).contender} == {'dmsca', 'se'}


def test_holm_multiplies_the_smallest_p_by_all_the_next_by_one_less():
    corrected = study_statistics.holm(pd.Series([0.04, 0.01, 0.03, float('nan')], list('abcd')), 3)
    assert corrected[:3].to_dict() == pytest.approx(dict(a=0.06, b=0.03, c=0.06))
    assert corrected[3:].isna().all()
    assert study_statistics.holm(pd.Series([0.9, 0.8]), 2).tolist() == [1, 1]


def test_contenders_that_have_not_run_count_in_the_correction():
    found = study_statistics.compare(table_of(none=[40, 50, 30], dmsca=[44, 52, 36]), studies.STUDIES)
    family = len(studies.ATTENTIONS) - 1
    assert (found.corrected == (family * found.p).clip(upper=1)).all()
