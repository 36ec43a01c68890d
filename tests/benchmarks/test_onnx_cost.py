"""The time of exported backbones: a row for each attention, relative to the plain one."""
import onnx_cost
import pytest


@pytest.mark.slow
def test_every_contender_has_a_row():
    rows = onnx_cost.measure(18, 32, 1, 2)
    labels = [onnx_cost.CONTENDERS[name].label for name in onnx_cost.NAMES]
    assert [row['contender'] for row in rows] == labels
    assert rows[0]['ratio'] == 1
    assert all(row['nodes'] > rows[0]['nodes'] and row['ms'] > 0 for row in rows[1:])
    assert {*rows[0]} == {*onnx_cost.COLUMNS}
