"""Categories of a file and classes of a data set: names, numbers, order."""
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.preflight.categories import check_categories


def check(categories, classes, chosen=True):
    return check_categories(dict(categories=[dict(id=place, name=name) for place, name in enumerate(categories)]),
                            classes, chosen, 'x')


def test_the_same_names_pass_and_a_choice_of_them():
    assert check(['a', 'b', 'c'], ('a', 'b', 'c')) == []
    assert check(['a', 'b', 'c'], ('a', 'c')) == []


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"x has no category 'd', which metainfo.classes names; it has a, b"):
        check(['a', 'b'], ('a', 'd'))
    with pytest.raises(UsageError, match=r"'person', one of the data set's own classes: name yours in metainfo=dict"):
        check(['a', 'b'], ('person',), chosen=False)


def test_a_name_that_is_there_twice_is_an_error():
    with pytest.raises(UsageError, match="x has category 'b' 2 times"):
        check(['a', 'b', 'b'], ('a', 'b'))
    assert check(['a', 'b', 'b'], ('a',)) == [], 'not read'


def test_another_order_is_a_warning():
    assert "label 1 is 'c', and mmdet names it 'b'" in check(['a', 'c', 'b'], ('a', 'b', 'c'))[0]
