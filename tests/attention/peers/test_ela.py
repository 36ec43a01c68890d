"""Efficient local attention against a second implementation of its paper's equations."""
import pytest
from formulas import assert_computes, every_init, parameters, randomised, sigmoid
from torch.nn import functional

from dmsca_mm.attention.peers import ELA


def gate(state, lines, groups, s):
    """Apply the depthwise convolution, the group norm and the gate to (N, C, L)."""
    n, c, length = lines.shape
    kernel = state['conv.weight'][:, 0]
    pad = kernel.shape[1] // 2
    padded = functional.pad(lines, (pad, pad))
    convolved = sum(kernel[:, i, None] * padded[:, :, i:i + length] for i in range(kernel.shape[1]))
    parts = convolved.reshape(n, groups, -1)
    mean = parts.mean(2, keepdim=True)
    parts = (parts - mean) / (((parts - mean) ** 2).mean(2, keepdim=True) + 1e-5).sqrt()
    normalized = parts.reshape(n, c, length) * state['norm.weight'][:, None] + state['norm.bias'][:, None]
    return s * sigmoid(normalized)


def ela(groups):
    def formula(state, x, s):
        h, w = x.shape[2:]
        rows, columns = x.sum(3) / w, x.sum(2) / h
        rows, columns = (gate(state, lines, groups, s) for lines in (rows, columns))
        return x * rows[:, :, :, None] * columns[:, :, None]
    return formula


@every_init
@pytest.mark.parametrize(('arguments', 'groups'), [({}, 4), (dict(groups=3, kernel_size=5), 3)])
def test_ela_computes_its_papers_formula(init, s, arguments, groups):
    assert_computes(randomised(ELA, init=init, **arguments), ela(groups), s)


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (256, {}, 7 * 256 + 2 * 256), (64, dict(kernel_size=5), 7 * 64)])
def test_parameters_of_ela_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(ELA, channels, **arguments) == count
