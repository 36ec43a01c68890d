"""Two configs are compared as a person would compare them."""
import pytest

from dmsca_mm.runtime.resume.differences import differences, type_name


@pytest.mark.parametrize(('old', 'new', 'expected'), [
    (dict(a=1), dict(a=1), []),
    (dict(a=1, b=2), dict(a=1, b=3), ['x.b was 2 and is 3']),
    (dict(a=dict(b='c')), dict(), ['x.a was {\'b\': \'c\'} and is not set']),
    (dict(plugins=None), dict(), []),
    (dict(type='mmdet.models.ResNet', depth=18), dict(type='ResNet', depth=34), ['x.depth was 18 and is 34']),
    (dict(type='SGD', lr=1), dict(type='Adam', lr=2), ['x was SGD and is Adam']),
    ([dict(type='A', n=1), dict(type='B')], [dict(type='A', n=2), dict(type='B')], ['x.0.n was 1 and is 2']),
    ([dict(type='A')], [dict(type='A'), dict(type='B')], ['x was [A] and is [A, B]']),
    ([8, 11], [16, 22], ['x was [8, 11] and is [16, 22]']),
    (dict(type='LoadWholeImage', skipped=None), dict(type='LoadImageFromFile'), []),
    (dict(type='SyncBN'), dict(type='BN'), [])])
def test_differences_are_told_by_path_and_both_values(old, new, expected):
    assert [str(one) for one in differences(old, new, 'x')] == expected


def test_long_values_are_cut_and_show_both_ends():
    found, = differences('a' * 500 + 'one', 'b', 'x')
    assert len(str(found)) < 150
    assert 'one' in str(found)


def test_what_has_no_type_has_an_empty_name():
    assert [type_name(node) for node in (dict(), dict(type=None), None, 'text')] == [''] * 4
