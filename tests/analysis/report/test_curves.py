"""Charts show the given values and do not clash on a page."""
import re
from xml.etree import ElementTree

import pytest

from dmsca_mm.analysis.report.curves import COLOURS, Curve, line_chart


def drawn_lines(svg, colour):
    """Return the points of each line of a colour that has more than two, in the picture's units, y upwards."""
    found = []
    for path in re.findall(r'<path d="([^"]*)" clip-path[^>]*stroke: ' + colour, svg):
        points = [(float(x), -float(y)) for x, y in re.findall(r'[ML] ([\d.]+) ([\d.]+)', path)]
        found += [points] if len(points) > 2 else []
    return found


def test_chart_shows_the_values():
    y = [1.0, 5.0, 2.0, 2.5]
    svg = line_chart('Losses', [Curve('a', [0, 10, 20, 40], y), Curve('b', [0, 10, 40], [9, 8, 7])])
    (points,), (others,) = drawn_lines(svg, COLOURS[0]), drawn_lines(svg, COLOURS[1])
    scale = (points[1][1] - points[0][1]) / (y[1] - y[0])
    assert [point[1] - points[0][1] for point in points] == pytest.approx([scale * (v - y[0]) for v in y], abs=0.03)
    assert points[3][0] - points[0][0] == pytest.approx(4 * (points[1][0] - points[0][0]), abs=0.05)
    assert others[0][1] - points[0][1] == pytest.approx(8 * scale, abs=0.03), 'both on one axis'


def test_logarithmic_chart_has_equal_steps_for_equal_factors_and_plain_numbers():
    svg = line_chart('Norms', [Curve('a', [1, 2, 3], [0.01, 1, 100])], logarithmic=True)
    points, = drawn_lines(svg, COLOURS[0])
    assert points[1][1] - points[0][1] == pytest.approx(points[2][1] - points[1][1], abs=0.03)
    texts = re.findall(r'>([^<>]+)</text>', svg)
    assert {'0.01', '1', '100'} <= set(texts)


def test_curve_that_coincides_with_another_is_dashed_and_the_legend_names_it():
    svg = line_chart('τ', [Curve('stage 1', [1, 2, 3], [1, 1, 1]), Curve('stage 2', [1, 2, 3], [1, 1, 1])])
    assert '>stage 2 (on stage 1)</text>' in svg
    assert 'stroke-dasharray' not in re.search(f'clip-path[^>]*stroke: {COLOURS[0]}[^>]*', svg)[0]
    assert 'stroke-dasharray' in re.search(f'clip-path[^>]*stroke-dasharray[^>]*stroke: {COLOURS[1]}[^>]*', svg)[0]
    apart = line_chart('τ', [Curve('stage 1', [1, 2, 3], [1, 1, 1]), Curve('stage 2', [1, 2, 3], [1, 1, 2])])
    assert '(on ' not in apart


def test_curves_of_one_name_share_a_colour_and_an_entry_of_the_legend():
    svg = line_chart('τ', [Curve('stage 1', [1, 2, 3], [1, 2, 3]), Curve('stage 2', [1, 2, 3], [2, 2, 4]),
                           Curve('stage 1', [1, 2, 3], [3, 2, 1])])
    assert [len(drawn_lines(svg, colour)) for colour in COLOURS[:3]] == [2, 1, 0]
    assert svg.count('>stage 1</text>') == 1


def test_label_of_a_chart_has_first_and_last_values_and_names_are_escaped():
    name = 'loss_<b>$x$ & "y"'
    svg = line_chart('Losses', [Curve(name, [1, 2], [2, 0.5]), Curve('loss', [1, 2], [3, 1])])
    root = ElementTree.fromstring(svg)
    assert root.get('role') == 'img'
    assert root.get('aria-label') == f'Losses. {name}: from 2 to 0.5; loss: from 3 to 1'
    assert name in [element.text for element in root.iter() if element.tag.endswith('text')]


def test_chart_has_the_colours_of_the_page_and_is_deterministic():
    curves = [Curve('a', [1, 2], [1, 2])]
    svg = line_chart('One', curves)
    assert 'currentColor' in svg
    assert set(re.findall(r'#[0-9a-f]{6}\b', svg)) == {COLOURS[0]}
    assert 'metadata' not in svg
    assert svg == line_chart('One', curves)
    ids = [re.findall(r'clipPath id="(\w+)"', line_chart(title, curves)) for title in ('One', 'Two')]
    assert ids[0] != ids[1]
