"""The alignment figure has a line for each map, through its values."""
import pytest

from dmsca_mm.analysis.alignment.figure import PANELS, alignment_figure


@pytest.mark.parametrize(('models', 'prefix'), [(['a'], ''), (['a', 'b'], 'a: ')])
def test_a_line_for_each_map_in_each_panel(models, prefix):
    rows = [dict(model=model, map=kind, stage=stage, area=0.2, pointing=0.1 * stage, iou=0.4, precision=0.5,
                 energy=0.3 + 0.1 * models.index(model) + 0.2 * kind.endswith('other image'))
            for model in models for kind in ('total', 'total, other image') for stage in (2, 3)]
    figure = alignment_figure(rows, 'title')
    assert len(figure.axes) == len(PANELS)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert len(lines) == 2 * len(models) + 1
    assert list(lines[f'{prefix}total'].get_ydata()) == pytest.approx([0.2, 0.3])
    assert lines['share of the area: chance'].get_ydata()[0] == 0.2
    assert lines[f'{prefix}total'].get_linestyle() != lines[f'{prefix}total, other image'].get_linestyle()


def test_map_that_coincides_with_another_is_dashed_and_named():
    rows = [dict(model=model, map='total', stage=stage, area=0.2, pointing=0.1 * stage, energy=energy, iou=0.4,
                 precision=0.5) for model, energy in (('a', 0.3), ('b', 0.3), ('c', 0.9)) for stage in (2, 3)]
    lines = {line.get_label(): line for line in alignment_figure(rows, 'title').axes[0].lines}
    assert list(lines)[:3] == ['a: total', 'b: total (on a: total)', 'c: total']
    assert lines['b: total (on a: total)'].get_linestyle() != lines['a: total'].get_linestyle()


def test_map_that_coincides_in_one_panel_is_dashed_there_alone():
    rows = [dict(model=model, map='total', stage=stage, area=0.2, pointing=0.1 * stage, energy=energy, iou=0.4,
                 precision=0.5) for model, energy in (('a', 0.3), ('b', 0.9)) for stage in (2, 3)]
    styles = {axes.get_title(loc='left').split()[0]: axes.lines[1].get_linestyle()
              for axes in alignment_figure(rows, 'title').axes}
    assert styles == dict(pointing='--', energy='-', iou='--', precision='--')
