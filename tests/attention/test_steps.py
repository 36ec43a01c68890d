"""The small steps of the fast form."""
import pytest
import torch
from torch import nn

from dmsca_mm.attention import steps


def test_blend_is_the_formula():
    gate, activation = nn.Conv2d(8, 1, 1).double(), nn.Conv2d(4, 1, 1).double()
    modulated, fixed = torch.randn(2, 2, 2, 3, 5, dtype=torch.float64)
    spatial = torch.rand(2, 1, 3, 5, dtype=torch.float64)
    p, q = steps.Steps(None, gate, activation, 2.0).blend(modulated, fixed, spatial)
    g = torch.sigmoid(modulated[:, :1] + spatial * fixed[:, :1] + gate.bias)
    alpha = 2 * torch.sigmoid(g * modulated[:, 1:] + (1 - g) * spatial * fixed[:, 1:] + activation.bias)
    torch.testing.assert_close((p, q), (alpha * g, alpha * (1 - g) * spatial), rtol=1e-12, atol=1e-12)


def test_rows_are_the_halves_of_the_gate_and_the_activation():
    gate, activation = nn.Conv2d(6, 1, 1), nn.Conv2d(3, 1, 1)
    u, v, w = steps.Steps(None, gate, activation, 1.0).rows()
    assert torch.equal(torch.cat([u, v]), gate.weight.flatten())
    assert torch.equal(w, activation.weight.flatten())


def test_gradients_are_none_where_an_input_has_no_part():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    fixed = torch.ones(2)
    found = steps.gradients((3 * used, fixed), (used, unused), (torch.ones(2), torch.ones(2)))
    assert found[0].tolist() == [3, 3]
    assert found[1] is None


def test_function_sees_the_parameters_of_the_forward():
    layer = nn.Linear(1, 1)
    own, others = list(layer.parameters()), [torch.full((1, 1), 7.0), torch.zeros(1)]
    assert steps.with_parameters(layer, own, lambda: layer.weight) is own[0]
    assert steps.with_parameters(layer, others, lambda: layer.weight.item()) == 7
    assert layer.weight is own[0]


def test_second_derivative_is_refused_only_where_one_is_wanted():
    with torch.no_grad():
        steps.refuse_second_derivative()
    with pytest.raises(RuntimeError, match="form='literal'"):
        steps.refuse_second_derivative()
