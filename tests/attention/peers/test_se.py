"""Squeeze-and-excitation against a second implementation of its paper's equations."""
import pytest
from formulas import assert_computes, every_init, parameters, perceptron, randomised, sigmoid

from dmsca_mm.attention.peers import SE


def se(state, x, s):
    n, c, h, w = x.shape
    return x * s * sigmoid(perceptron(state, x.reshape(n, c, -1).sum(2) / (h * w)))[:, :, None, None]


@every_init
def test_se_computes_its_papers_formula(init, s):
    assert_computes(randomised(SE, init=init), se, s)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (256, {}, 2 * 256 * 16), (8, {}, 2 * 8 * 1), (256, dict(reduction=4), 2 * 256 * 64)])
def test_parameters_of_se_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(SE, channels, **arguments) == count
