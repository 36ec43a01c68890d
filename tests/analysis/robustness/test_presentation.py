"""Table and picture show the figures of the summary."""
import io

import numpy as np
import pytest
from matplotlib.image import imread
from test_summary import CELLS, summary

from dmsca_mm.analysis.robustness import CORRUPTIONS, SEVERITIES, Summary, picture, presentation, table


def test_table_holds_each_cell_and_the_means():
    lines = table(summary()).splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('|')]
    assert rows[0] == ['group', 'corruption', '1', '3', 'mean']
    assert rows[2] == ['noise', 'gaussian_noise', '0.400', '0.200', '0.300']
    assert rows[4] == ['weather', 'fog', '0.500', '0.300', '0.400']
    assert rows[5] == ['all', 'mean', '0.400', '0.200', '0.300']
    assert lines[-1] == ('coco/bbox_mAP (0 to 1): clean 0.600, mPC 0.300, rPC 50.0 %; noise 0.250, weather 0.400')
    assert len({len(line) for line in lines if line.startswith('|')}) == 1, 'columns stand under each other'


def test_percentages_and_a_clean_performance_of_zero():
    last = table(Summary('mIoU', '%', 0.0, {('fog', 1): 0.0})).splitlines()[-1]
    assert last == 'mIoU (%): clean 0.0, mPC 0.0, rPC undefined; weather 0.0'


@pytest.fixture
def drawn(monkeypatch):
    """The panels of the pictures that a test draws."""
    panels, draw = [], presentation._panel

    def panel(axes, *arguments):
        panels.append(axes)
        draw(axes, *arguments)
    monkeypatch.setattr(presentation, '_panel', panel)
    return panels


def test_picture_has_a_panel_for_each_group_and_a_line_for_each_corruption(drawn):
    content = picture(summary(), 'Model on data')
    assert np.ptp(imread(io.BytesIO(content))[..., :3]) > 0.5
    assert [axes.get_title('left').split(':')[0] for axes in drawn] == ['noise', 'weather']
    lines = {line.get_label(): list(line.get_ydata()) for axes in drawn for line in axes.lines}
    for name in ('gaussian_noise', 'shot_noise', 'fog'):
        assert lines[name.replace('_', ' ')] == [0.6, CELLS[name, 1], CELLS[name, 3]]
    assert lines['clean'] == [0.6, 0.6]
    figure = drawn[0].figure
    assert 'Model on data' in figure.get_suptitle()
    assert 'severity' in figure.get_supxlabel()
    assert figure.get_supylabel() == 'coco/bbox_mAP (0 to 1)'


def test_full_picture_is_small_and_a_line_without_severity_1_does_not_start_at_clean(drawn):
    full = Summary('mIoU', '%', 70.0, {(name, severity): 70 - 10 * severity for name in CORRUPTIONS
                                       for severity in SEVERITIES})
    assert len(picture(full, 'all')) < 150_000
    assert [len(axes.lines) for axes in drawn] == [4, 5, 5, 5]
    drawn.clear()
    picture(Summary('mIoU', '%', 0.0, {('fog', 5): 0.0}), 'one')
    assert list(drawn[0].lines[1].get_xdata()) == [5]


def test_corruptions_that_cost_the_same_are_told_apart(drawn):
    picture(Summary('mIoU', '%', 70.0, {('snow', 1): 50.0, ('fog', 1): 50.0, ('frost', 1): 60.0}), 'title')
    lines = {line.get_label(): line for line in drawn[0].lines}
    assert set(lines) == {'clean', 'snow', 'frost', 'fog (on snow)'}
    assert lines['fog (on snow)'].get_linestyle() != lines['snow'].get_linestyle()
