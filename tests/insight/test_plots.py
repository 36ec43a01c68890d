"""The figure of alignment has a line for each map, through its numbers."""
import pytest

from dmsca_mm.insight.plots import PANELS, alignment_figure


def test_a_line_for_each_map_in_each_panel():
    rows = [dict(model='a', map=kind, stage=stage, area=0.2, pointing=0.1 * stage, energy=0.3, iou=0.4, precision=0.5)
            for kind in ('total', 'total, other image') for stage in (2, 3)]
    figure = alignment_figure(rows, 'title')
    assert len(figure.axes) == len(PANELS)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == {'a: total', 'a: total, other image', 'share of the area: chance'}
    assert list(lines['a: total'].get_ydata()) == pytest.approx([0.2, 0.3])
    assert lines['share of the area: chance'].get_ydata()[0] == 0.2
    assert lines['a: total'].get_linestyle() != lines['a: total, other image'].get_linestyle()
