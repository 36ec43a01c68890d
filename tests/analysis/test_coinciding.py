"""Lines that a reader cannot tell apart are found, and no others."""
from dmsca_mm.analysis.coinciding import coinciding

X = [1, 2, 3]


def test_a_line_on_an_earlier_one_is_named_after_it():
    lines = {'a': [(X, [0, 5, 10])], 'b': [(X, [0, 5, 10.04])], 'c': [(X, [0, 5, 10.2])], 'd': [(X, [0, 5, 10])]}
    assert coinciding(lines) == {'b': 'a', 'd': 'a'}


def test_other_places_or_another_number_of_lines_are_other_lines():
    flat = [1, 1, 1]
    assert coinciding({'a': [(X, flat)], 'b': [([1, 2, 4], flat)], 'c': [(X, flat), (X, flat)]}) == {}
    assert coinciding({'a': [(X, flat), (X, flat)], 'b': [(X, flat), (X, flat)]}) == {'b': 'a'}
    assert coinciding({}) == {}
