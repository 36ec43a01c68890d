"""Convolutional block attention against a second implementation of its paper's equations."""
import pytest
import torch
from formulas import assert_computes, every_init, parameters, perceptron, randomised, sigmoid
from torch.nn import functional

from dmsca_mm.attention.peers import CBAM


def cbam(state, x, s):
    n, c, h, w = x.shape
    flat = x.reshape(n, c, -1)
    logits = perceptron(state, flat.sum(2) / (h * w)) + perceptron(state, flat.max(2).values)
    x = x * s * sigmoid(logits)[:, :, None, None]
    kernel = state['conv.weight'][0]
    pad = kernel.shape[-1] // 2
    layers = functional.pad(torch.stack([x.sum(1) / c, x.max(1).values], 1), (pad,) * 4)
    patches = layers.unfold(2, 2 * pad + 1, 1).unfold(3, 2 * pad + 1, 1)
    return x * s * sigmoid(torch.einsum('nlhwij,lij->nhw', patches, kernel))[:, None]


@every_init
def test_cbam_computes_its_papers_formula(init, s):
    assert_computes(randomised(CBAM, init=init), cbam, s)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (256, {}, 2 * 256 * 16 + 2 * 7 * 7), (256, dict(reduction=4, kernel_size=3), 2 * 256 * 64 + 2 * 3 * 3)])
def test_parameters_of_cbam_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(CBAM, channels, **arguments) == count
