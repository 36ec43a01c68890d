"""The literal form: its maps, and the second derivative that the fast forms lack."""
import torch

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import reference


def test_the_maps_lead_to_the_output():
    module, x = DMSCA(6, init='paper').double(), torch.randn(2, 6, 4, 5, dtype=torch.float64)
    maps = reference.attend(x, module)
    fused = maps.gate * x * maps.channel + (1 - maps.gate) * x * maps.spatial
    torch.testing.assert_close(maps.y, maps.activation * fused)
    assert [tuple(value.shape) for value in maps[1:]] == [(2, 6, 1, 1), *[(2, 1, 4, 5)] * 3]
    assert all(value.min() > 0 and value.max() < 1 for value in maps[1:])


def test_it_has_a_second_derivative():
    module, x = DMSCA(4, form='literal', init='paper').double(), torch.randn(1, 4, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(module, (x.requires_grad_(),))
