"""Figures are written or the reason is named; lines that coincide are found."""
import pytest
from PIL import Image

from dmsca_mm.analysis.plotting import coinciding, rendered, save, titled_figure
from dmsca_mm.errors import UsageError

X = [1, 2, 3]


def test_figure_is_saved_into_a_new_folder_or_the_reason_is_named(tmp_path):
    figure = titled_figure(5, 2, 'title')
    save(figure, tmp_path / 'new' / 'cam.png')
    assert Image.open(tmp_path / 'new' / 'cam.png').size == (550, 220)
    with pytest.raises(UsageError, match='could not be written'):
        save(figure, tmp_path / 'new' / 'cam.png' / 'inside.png')


def test_a_title_with_dollar_signs_is_no_formula():
    figure = titled_figure(5, 2, 'from_$5_to_9_$.jpg')
    rendered(figure)
    text = figure.texts[0]
    assert text._preprocess_math(text.get_text()) == ('from_$5_to_9_$.jpg', False)


def test_figure_is_rendered_as_an_image():
    picture = rendered(titled_figure(5, 2, 'title'))
    assert picture.size == (700, 280)
    assert len(picture.getcolors()) > 1, 'the title'


def test_line_that_coincides_with_an_earlier_one_is_named_after_it():
    lines = {'a': [(X, [0, 5, 10])], 'b': [(X, [0, 5, 10.04])], 'c': [(X, [0, 5, 10.2])], 'd': [(X, [0, 5, 10])]}
    assert coinciding(lines) == {'b': 'a', 'd': 'a'}


def test_lines_of_another_x_or_another_number_do_not_coincide():
    flat = [1, 1, 1]
    assert coinciding({'a': [(X, flat)], 'b': [([1, 2, 4], flat)], 'c': [(X, flat), (X, flat)]}) == {}
    assert coinciding({'a': [(X, flat), (X, flat)], 'b': [(X, flat), (X, flat)]}) == {'b': 'a'}
    assert coinciding({}) == {}
