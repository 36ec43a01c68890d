"""The channel branch against the rearranged form in double precision."""
import math

import pytest
import torch
from stages import Case, close

from dmsca_mm.attention.dmsca import gates
from dmsca_mm.attention.dmsca.triton import gate_stages
from dmsca_mm.attention.dmsca.triton.map_stages import MapGradients, Reduced


def reduced(case, strips):
    """The output of ``reduce_forward`` for strips of several pixels."""
    flat = case.x.flatten(2).tensor_split(strips, 2)
    return Reduced(case.stats()[1].layers, None, torch.stack([part.sum(2) for part in flat], 1),
                   torch.stack([part.amax(2) for part in flat], 1))


@pytest.mark.parametrize(('shape', 'strips'), [((1, 1, 1, 1), 1), ((2, 20, 4, 5), 3), ((1, 3, 9, 10), 70)])
def test_pools_are_put_together_from_strips(shape, strips, device):
    case = Case(shape, device)
    pooled, spatial_max, _ = gate_stages.pools_means_fold(reduced(case, strips), case.parameters)
    close(pooled, case.x.double().mean((2, 3)) + case.x.amax((2, 3)))
    assert torch.equal(spatial_max, case.x.amax((2, 3)))


@pytest.mark.parametrize(('shape', 'arguments'), [
    ((1, 1, 1, 1), {}), ((3, 20, 2, 2), dict(reduction=4)), ((5, 300, 1, 1), dict(reduction=30))])
def test_both_layers_and_their_temperature(shape, arguments, device):
    case = Case(shape, device, kernel_sizes=(1,), direction_kernel_size=1, **arguments)
    exact, stats = case.stats()
    context = gate_stages.means_fold(stats.layers, case.parameters)
    hidden, _ = gate_stages.hidden_spatial(stats.pooled, stats.layers, context, case.parameters, case.scale)
    close(hidden, exact.hidden)
    close(gate_stages.channel_gate(stats.hidden, case.parameters, case.scale), exact.channel)


def backward(case, strips=3):
    """Run the backward of the channel branch in both, from random gradients of A_c."""
    exact, stats = case.stats()
    n, c = exact.channel.shape
    sums = torch.randn(n, strips, 5, c, device=case.x.device)
    maps = torch.zeros(n, 8, *case.x.shape[2:], device=case.x.device)
    by_map = MapGradients(maps, sums, torch.randn(n, strips, 2, device=case.x.device))
    context = gate_stages.means_fold(stats.layers, case.parameters)
    by_gate = gate_stages.gates_backward(by_map, stats, context, case.parameters, case.gradients, case.scale)
    d_hidden, _ = gate_stages.parameters_layers_backward(by_map.maps, by_gate, stats, context, case.parameters,
                                                         case.gradients)
    d_pooled = gate_stages.pooled_fc1_backward(d_hidden, by_gate.context, stats, case.parameters, case.gradients)
    expected = gates.channel_gate_backward(sums.double().sum(1)[:, 0], exact, case.double()[2], case.scale)
    return by_map, by_gate, d_pooled, expected


@pytest.mark.parametrize(('shape', 'arguments'), [
    ((1, 1, 1, 1), {}), ((3, 20, 2, 2), dict(reduction=4)), ((5, 300, 1, 1), dict(reduction=30))])
def test_backward(shape, arguments, device):
    case = Case(shape, device, kernel_sizes=(1,), direction_kernel_size=1, **arguments)
    by_map, by_gate, d_pooled, (expected, gradients) = backward(case)
    close(d_pooled, expected)
    for name, gradient in gradients.items():
        close(getattr(case.gradients, name), gradient)
    _, d_u, d_v, d_w, equals = by_map.sums.double().sum(1).unbind(1)
    channel = case.stats()[0].channel
    close(case.gradients.dff_gate_weight.flatten(), torch.cat([(channel * d_u).sum(0), d_v.sum(0)]))
    close(case.gradients.aa_conv_weight.flatten(), d_w.sum(0))
    close(torch.cat([case.gradients.dff_gate_bias, case.gradients.aa_conv_bias]),
          by_map.bias_sums.double().sum((0, 1)))
    close(by_gate.equals, equals)


@pytest.mark.parametrize(('value', 'learns'), [
    (0.5, True), (math.log(20), True), (-math.log(20), True), (3.5, False), (-3.5, False), (math.nan, False)])
def test_temperature_is_clamped_and_does_not_learn_outside(value, learns, device):
    case = Case((2, 6, 2, 2), device, kernel_sizes=(1,), direction_kernel_size=1)
    case.parameters.tca_log_temperature.fill_(value)
    exact, stats = case.stats()
    channel = gate_stages.channel_gate(stats.hidden, case.parameters, case.scale)
    torch.testing.assert_close(channel.double(), exact.channel, rtol=1e-5, atol=1e-5, equal_nan=True)
    backward(case)
    assert (case.gradients.tca_log_temperature != 0) == learns
