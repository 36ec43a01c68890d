"""The form for exported graphs against the literal form."""
import pytest
import torch
from forms import assert_agree, pair, run

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import exported, op


@pytest.fixture(autouse=True)
def _exporting(monkeypatch):
    """Make the module behave as during an export."""
    monkeypatch.setattr(op, '_exporting', lambda: True)


@pytest.mark.parametrize('channels', [1, 3, 16, 24, 33, 64])
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize('onnx', [False, True])
def test_agrees_with_the_literal_form_on_any_number_of_channels_also_in_training(onnx, channels, dtype, tolerance,
                                                                                 monkeypatch):
    monkeypatch.setattr(torch.onnx, 'is_in_onnx_export', lambda: onnx)
    literal, fast = pair(channels, dtype)
    x, dy = torch.randn(2, channels, 7, 5, dtype=dtype), torch.randn(2, channels, 7, 5, dtype=dtype)
    assert_agree(run(fast, x, dy), run(literal, x, dy), tolerance)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_the_identity_initialization_returns_x_bit_for_bit(dtype):
    x = torch.randn(2, 24, 6, 4, dtype=dtype)
    assert torch.equal(DMSCA(24).to(dtype)(x), x)


@pytest.mark.parametrize('graph', [torch.jit.trace, lambda *call: torch.export.export(*call).module()],
                         ids=['trace', 'export'])
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_equal_maxima_share_their_gradient_evenly_in_a_graph(graph):
    literal, fast = pair(64, torch.float64)
    x = torch.randn(2, 64, 6, 5, dtype=torch.float64)
    x[:, [0, 1, 2, 17, 18]] = 9.0
    assert_agree(run(graph(fast, (x,)), x, x.sin()), run(literal, x, x.sin()), 1e-12)


def test_reductions_over_channels_take_a_group_at_most_in_onnx():
    """In onnxruntime a reduction over all channels costs more than the rest of DMSCA."""
    program = torch.onnx.export(pair(64)[1].eval(), (torch.randn(1, 64, 6, 5),), dynamo=True, verbose=False)
    reductions = [node for node in program.exported_program.graph.nodes
                  if node.target in (torch.ops.aten.amax.default, torch.ops.aten.mean.dim) and 1 in node.args[1]]
    assert [node.args[0].meta['val'].shape[1] for node in reductions] == [exported.CHANNEL_GROUPS, 4]


def test_autocast_changes_nothing():
    fast, x = pair(16)[1], torch.randn(2, 16, 6, 5)
    expected = fast(x)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(fast(x), expected)
