"""A_c and A_s against those of the modules whose parameters they use."""
import pytest
import torch

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import gates


@pytest.mark.parametrize('kernel_sizes', [(3, 5, 7), (1,), (5, 3)])
def test_scales_are_re_parameterized_into_one_convolution(kernel_sizes):
    module = DMSCA(4, kernel_sizes=kernel_sizes).double()
    torch.nn.init.normal_(module.msce.fuse.weight)
    layers = torch.randn(2, 2, 6, 9, dtype=torch.float64)
    gate = gates.spatial_gate(layers, module.operator_arguments(), 2.0)
    assert gate.kernel.shape == (1, 2, max(kernel_sizes), max(kernel_sizes))
    torch.testing.assert_close(gate.spatial, module.msce(layers, module.dii(layers)), rtol=1e-12, atol=1e-12)


def test_channel_gate_is_that_of_the_modules():
    module = DMSCA(12, temperature=2.0).double()
    for parameter in module.gce.parameters():
        torch.nn.init.normal_(parameter)
    pooled = torch.randn(2, 12, dtype=torch.float64)
    _, channel = gates.channel_gate(pooled, module.operator_arguments(), 2.0)
    fc2 = module.gce.fc2(module.gce.fc1(pooled[:, :, None, None]).relu())
    torch.testing.assert_close(channel, module.tca(fc2)[:, :, 0, 0], rtol=1e-12, atol=1e-12)
