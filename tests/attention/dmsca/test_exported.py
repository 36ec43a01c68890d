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
def test_agrees_with_the_literal_form_on_any_number_of_channels_also_in_training(channels, dtype, tolerance):
    literal, fast = pair(channels, dtype)
    x, dy = torch.randn(2, channels, 7, 5, dtype=dtype), torch.randn(2, channels, 7, 5, dtype=dtype)
    assert_agree(run(fast, x, dy), run(literal, x, dy), tolerance)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_the_identity_initialization_returns_x_bit_for_bit(dtype):
    x = torch.randn(2, 24, 6, 4, dtype=dtype)
    assert torch.equal(DMSCA(24).to(dtype)(x), x)


def test_reductions_over_channels_take_a_group_at_most():
    """In onnxruntime a reduction over all channels costs more than the rest of DMSCA."""
    program = torch.export.export(pair(64)[1].eval(), (torch.randn(1, 64, 6, 5),))
    reductions = [node for node in program.graph.nodes
                  if node.target in (torch.ops.aten.amax.default, torch.ops.aten.mean.dim) and 1 in node.args[1]]
    assert [node.args[0].meta['val'].shape[1] for node in reductions] == [exported.CHANNEL_GROUPS, 4]


def test_autocast_changes_nothing():
    fast, x = pair(16)[1], torch.randn(2, 16, 6, 5)
    expected = fast(x)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(fast(x), expected)
