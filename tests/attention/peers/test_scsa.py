"""Spatial and channel synergistic attention against a second implementation of its paper's equations."""
import math

import pytest
import torch
from formulas import CHANNELS, assert_computes, every_init, parameters, randomised, sigmoid
from torch.nn import functional

from dmsca_mm.attention.peers import SCSA


def normalized(state, name, values, groups):
    """Apply the group norm to (N, C, ...)."""
    parts = values.reshape(len(values), groups, -1)
    mean = parts.mean(2, keepdim=True)
    parts = (parts - mean) / (((parts - mean) ** 2).mean(2, keepdim=True) + 1e-5).sqrt()
    shape = (-1, *(1,) * (values.dim() - 2))
    return parts.reshape(values.shape) * state[f'{name}.weight'].reshape(shape) + state[f'{name}.bias'].reshape(shape)


def line_gate(state, name, lines, s):
    convolved = []
    for quarter, part in enumerate(lines.chunk(4, 1)):
        kernel = state[f'convs.{quarter}.weight'][:, 0]
        pad = kernel.shape[1] // 2
        padded = functional.pad(part, (pad, pad))
        convolved.append(sum(kernel[:, i, None] * padded[:, :, i:i + part.shape[2]] for i in range(kernel.shape[1])))
    return s * sigmoid(normalized(state, name, torch.cat(convolved, 1), 4))


def scsa(heads):
    def formula(state, x, s):
        n, c, h, w = x.shape
        z = x * line_gate(state, 'norm_h', x.sum(3) / w, s)[:, :, :, None]
        z = z * line_gate(state, 'norm_w', x.sum(2) / h, s)[:, :, None]
        side_h, side_w = min(h, 7), min(w, 7)
        windows = z[:, :, :h // side_h * side_h, :w // side_w * side_w]
        p = windows.reshape(n, c, h // side_h, side_h, w // side_w, side_w).mean((3, 5))
        p = normalized(state, 'norm', p, 1).flatten(2)
        q, k, v = (p * state[f'{name}.weight'].reshape(c, 1) for name in 'qkv')
        means = []
        for i in range(heads):
            own = slice(i * c // heads, (i + 1) * c // heads)
            weights = torch.exp(torch.einsum('nal,nbl->nab', q[:, own], k[:, own]) / math.sqrt(c // heads))
            means.append(torch.einsum('nab,nbl->na', weights / weights.sum(2, keepdim=True), v[:, own]) / p.shape[2])
        return z * s * sigmoid(torch.cat(means, 1))[:, :, None, None]
    return formula


@every_init
@pytest.mark.parametrize(('arguments', 'heads'), [({}, 1), (dict(heads=3), 3), (dict(heads=8), 4)])
def test_scsa_computes_its_papers_formula(init, s, arguments, heads):
    assert_computes(randomised(SCSA, init=init, **arguments), scsa(heads), s)


def test_maps_of_several_windows_and_of_one():
    module = randomised(SCSA).double()
    for size in ((16, 15), (1, 1), (3, 20)):
        x = torch.randn(2, CHANNELS, *size, dtype=torch.double)
        torch.testing.assert_close(module(x), scsa(1)(module.state_dict(), x, 2), rtol=1e-12, atol=1e-12)


def test_channels_that_are_no_multiple_of_four_are_refused():
    with pytest.raises(ValueError, match='multiple of 4, got 6'):
        SCSA(6)


@pytest.mark.parametrize('channels', [256, 64])
def test_parameters_of_scsa_are_those_counted_by_hand(channels):
    assert parameters(SCSA, channels) == channels // 4 * (3 + 5 + 7 + 9) + 6 * channels + 3 * channels
