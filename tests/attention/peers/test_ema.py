"""Efficient multi-scale attention against its paper's equations, implemented for one group of channels at a time."""
import pytest
import torch
from formulas import CHANNELS, assert_computes, every_init, parameters, randomised, sigmoid
from torch.nn import functional

from dmsca_mm.attention.peers import EMA


def softmax(values):
    return torch.exp(values) / torch.exp(values).sum(1, keepdim=True)


def of_group(state, x, s):
    h, w = x.shape[2:]
    mixing = state['conv1.weight'].flatten(1)
    rows, columns = (sigmoid(torch.einsum('oi,nil->nol', mixing, means)) for means in (x.sum(3) / w, x.sum(2) / h))
    u = x * rows[:, :, :, None] * columns[:, :, None]
    mean = u.mean((2, 3), keepdim=True)
    u = (u - mean) / (((u - mean) ** 2).mean((2, 3), keepdim=True) + 1e-5).sqrt()
    u = u * state['norm.weight'][:, None, None] + state['norm.bias'][:, None, None]
    padded, kernel = functional.pad(x, (1, 1, 1, 1)), state['conv3.weight']
    v = sum(torch.einsum('oi,nihw->nohw', kernel[:, :, i, j], padded[:, :, i:i + h, j:j + w])
            for i in range(3) for j in range(3))
    logits = torch.einsum('nc,nchw->nhw', softmax(u.mean((2, 3))), v)
    logits = logits + torch.einsum('nc,nchw->nhw', softmax(v.mean((2, 3))), u)
    return x * s * sigmoid(logits)[:, None]


def ema(groups):
    return lambda state, x, s: torch.cat([of_group(state, part, s) for part in x.chunk(groups, 1)], 1)


@every_init
@pytest.mark.parametrize(('arguments', 'groups'), [({}, 4), (dict(groups=3), 3), (dict(groups=1), 1)])
def test_ema_computes_its_papers_formula(init, s, arguments, groups):
    assert_computes(randomised(EMA, init=init, **arguments), ema(groups), s)


def test_one_pixel_in_one_group():
    module, x = randomised(EMA, groups=1).double(), torch.randn(1, CHANNELS, 1, 1, dtype=torch.double)
    torch.testing.assert_close(module(x), ema(1)(module.state_dict(), x, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (256, {}, 10 * 8 ** 2 + 2 * 8), (64, dict(groups=4), 10 * 16 ** 2 + 2 * 16)])
def test_parameters_of_ema_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(EMA, channels, **arguments) == count
