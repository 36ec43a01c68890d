"""What single parts promise; their formulas are tested together in tests/attention/test_dmsca.py."""
import pytest
import torch

from dmsca_mm.attention.dmsca import parts


def test_blend_returns_equal_inputs_unchanged_bit_for_bit():
    x = 1e3 * torch.randn(2, 6, 5, 5)
    gate, fused = parts.DynamicFeatureFusion(6)(x, x.clone())
    assert gate.unique().numel() > 1
    assert torch.equal(fused, x)


def test_rows_and_columns_are_seen_apart():
    part = parts.DirectionalInteraction(3)
    layers = torch.randn(1, 2, 4, 6)
    # The mean over a row does not know the order in it, nor does a column's.
    shuffled = layers[:, :, :, torch.randperm(6)]
    rows = part.conv_h(layers.mean(3, keepdim=True))
    torch.testing.assert_close(part.conv_h(shuffled.mean(3, keepdim=True)), rows)
    assert part(layers).shape == (1, 1, 4, 6)


@pytest.mark.parametrize(('low', 'high'), [(0.5, 5.0)])
def test_low_temperature_sharpens_the_channel_gate(low, high):
    context = torch.tensor([-1.0, 1.0]).reshape(1, 2, 1, 1)
    sharp, soft = (parts.TemperatureChannelAttention(t, 1.0)(context).flatten() for t in (low, high))
    assert sharp[1] - sharp[0] > soft[1] - soft[0]


def test_temperature_moves_by_gradient_inside_its_range_only():
    part = parts.TemperatureChannelAttention(1.0, 1.0)
    context = torch.ones(1, 2, 1, 1)
    part(context).sum().backward()
    assert part.log_temperature.grad != 0
    torch.nn.init.constant_(part.log_temperature, 10.0)
    part.log_temperature.grad = None
    part(context).sum().backward()
    assert part.log_temperature.grad == 0
