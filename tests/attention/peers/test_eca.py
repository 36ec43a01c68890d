"""Efficient channel attention against a second implementation of its paper's equations."""
import pytest
from formulas import assert_computes, every_init, parameters, randomised, sigmoid
from torch.nn import functional

from dmsca_mm.attention.peers import ECA


def eca(state, x, s):
    n, c, h, w = x.shape
    kernel = state['conv.weight'].flatten()
    pad = len(kernel) // 2
    pooled = functional.pad(x.reshape(n, c, -1).sum(2) / (h * w), (pad, pad))
    logits = sum(weight * pooled[:, i:i + c] for i, weight in enumerate(kernel))
    return x * s * sigmoid(logits)[:, :, None, None]


@every_init
def test_eca_computes_its_papers_formula(init, s):
    assert_computes(randomised(ECA, init=init), eca, s)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (2048, {}, 7), (1024, {}, 5), (512, {}, 5), (256, {}, 5), (64, {}, 3), (1, {}, 1),
    (256, dict(gamma=1), 9), (256, dict(b=4), 7)])
def test_parameters_of_eca_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(ECA, channels, **arguments) == count
