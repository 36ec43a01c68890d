"""Coordinate attention against a second implementation of its paper's equations."""
import pytest
import torch
from formulas import CHANNELS, assert_computes, every_init, parameters, randomised, sigmoid

from dmsca_mm.attention.peers import CoordinateAttention


def coordinate(state, x, s):
    w = x.shape[3]
    rows, columns = x.sum(3) / w, x.sum(2) / x.shape[2]
    gates = {}
    for name, means in (('conv_h', rows), ('conv_w', columns)):
        hidden = torch.einsum('oc,ncl->nol', state['conv.weight'].flatten(1), means)
        hidden = (hidden - state['norm.running_mean'][:, None]) / (state['norm.running_var'][:, None] + 1e-5).sqrt()
        hidden = hidden * state['norm.weight'][:, None] + state['norm.bias'][:, None]
        hidden = hidden * (hidden + 3).clamp(0, 6) / 6
        gates[name] = s * sigmoid(torch.einsum('oc,ncl->nol', state[f'{name}.weight'].flatten(1), hidden))
    return x * gates['conv_h'][:, :, :, None] * gates['conv_w'][:, :, None, :]


@every_init
def test_coordinate_attention_computes_its_papers_formula(init, s):
    assert_computes(randomised(CoordinateAttention, init=init), coordinate, s)


def test_coordinate_attention_normalises_rows_and_columns_together_in_training():
    module = randomised(CoordinateAttention).double()
    x = torch.randn(3, CHANNELS, 6, 9, dtype=torch.double)
    state, weight = module.state_dict(), module.conv.weight.flatten(1)
    means = torch.cat([x.sum(3) / 9, x.sum(2) / 6], 2)
    hidden = torch.einsum('oc,ncl->nol', weight, means)
    state['norm.running_mean'] = hidden.mean((0, 2))
    state['norm.running_var'] = hidden.var((0, 2), correction=0)
    torch.testing.assert_close(module.train()(x), coordinate(state, x, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (512, {}, 3 * 512 * 16 + 2 * 16), (64, {}, 3 * 64 * 8 + 2 * 8), (256, dict(reduction=4), 3 * 256 * 64 + 2 * 64)])
def test_parameters_of_coordinate_attention_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(CoordinateAttention, channels, **arguments) == count
