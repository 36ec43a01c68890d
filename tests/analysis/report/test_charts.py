"""Charts show what the logs contain."""
from loglines import trained

from dmsca_mm.analysis.report import charts
from dmsca_mm.analysis.report.curves import COLOURS
from dmsca_mm.analysis.report.logs import read_history


def test_curves_are_those_that_the_log_has(history, write_run, tmp_path):
    drawn = dict(charts.curves(history))
    assert list(drawn) == ['Losses', 'Learning rate', 'Validation']
    assert 'coco/bbox_mAP: from 0.25 to 0.5"' in drawn['Validation'], 'a metric without a value is not drawn'
    write_run('20261201_000000', [trained(1, grad_norm=3.0), dict(mIoU=0.1, step=1)])
    history = read_history(tmp_path / 'work')
    assert [title for title, _ in charts.curves(history)] == ['Losses', 'Learning rate', 'Norm of the gradient']


def test_title_reports_curves_that_have_no_colour(write_run, tmp_path):
    metrics = {f'coco/metric_{number}': 0.1 * number for number in range(len(COLOURS) + 2)}
    write_run('1', [trained(1), metrics | dict(step=1), trained(2), metrics | dict(step=2)])
    drawn = dict(charts.curves(read_history(tmp_path / 'work')))
    svg = drawn[f'Validation (the first {len(COLOURS)} of {len(metrics)})']
    assert [f'metric_{number}:' in svg for number in range(len(metrics))] == [True] * len(COLOURS) + [False] * 2


def test_attention_is_drawn_a_line_a_module_in_the_colour_of_its_stage(history):
    drawn = charts.attention(history)
    assert len(drawn) == len(charts.OF_MODULES)
    for _, svg in drawn:
        assert svg.count('>stage 1</text>') == svg.count('>stage 3</text>') == 1
        assert [svg.count(f'stroke: {colour}; stroke-width: 1.2') for colour in COLOURS[:3]] == [3, 2, 0], \
            'the modules, and one of each in the legend'


def test_training_without_dmsca_has_no_attention(write_run, tmp_path):
    write_run('1', [trained(1)])
    assert charts.attention(read_history(tmp_path / 'work')) == []
