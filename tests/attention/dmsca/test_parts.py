"""Properties of single parts; test_module.py tests their formulas together."""
import torch

from dmsca_mm.attention.dmsca import parts


def test_temperature_moves_by_gradient_inside_its_range_only():
    part = parts.TemperatureChannelAttention(1.0, 1.0)
    context = torch.ones(1, 2, 1, 1)
    part(context).sum().backward()
    assert part.log_temperature.grad != 0
    torch.nn.init.constant_(part.log_temperature, 10.0)
    part.log_temperature.grad = None
    part(context).sum().backward()
    assert part.log_temperature.grad == 0
