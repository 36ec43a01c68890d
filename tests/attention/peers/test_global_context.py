"""Global context against a second implementation of its paper's equation and against mmcv's layer."""
import pytest
import torch
from formulas import CHANNELS, assert_computes, parameters, randomised
from mmcv.cnn import ContextBlock

from dmsca_mm.attention.peers import GlobalContext


def normalized(values, state, name='norm'):
    mean = values.mean(1, keepdim=True)
    variance = ((values - mean) ** 2).mean(1, keepdim=True)
    weight, bias = (state[f'{name}.{kind}'].flatten() for kind in ('weight', 'bias'))
    return (values - mean) / (variance + 1e-5).sqrt() * weight + bias


def global_context(state, x, s):
    n, c, h, w = x.shape
    pixels = x.reshape(n, c, h * w)
    scores = torch.exp((pixels * state['key.weight'].reshape(1, c, 1)).sum(1))
    context = (pixels * (scores / scores.sum(1, keepdim=True))[:, None]).sum(2)
    hidden = normalized(context @ state['fc1.weight'].flatten(1).T, state).clamp(min=0)
    return x + (hidden @ state['fc2.weight'].flatten(1).T)[:, :, None, None]


@pytest.mark.parametrize('init', ['identity', 'paper'])
def test_global_context_computes_its_papers_formula(init):
    assert_computes(randomised(GlobalContext, init=init), global_context, 1)


def test_global_context_is_mmcvs_layer_without_biases():
    own = randomised(GlobalContext, reduction=3)
    theirs = ContextBlock(CHANNELS, ratio=1 / 3).eval()
    for parameter in theirs.parameters():
        torch.nn.init.zeros_(parameter)
    add = theirs.channel_add_conv
    for target, source in ((theirs.conv_mask.weight, own.key.weight), (add[0].weight, own.fc1.weight),
                           (add[1].weight, own.norm.weight), (add[1].bias, own.norm.bias),
                           (add[3].weight, own.fc2.weight)):
        target.data.copy_(source)
    x = torch.randn(2, CHANNELS, 5, 7)
    torch.testing.assert_close(own(x), theirs(x))


@pytest.mark.parametrize(('channels', 'arguments', 'count'), [
    (256, {}, 256 + 2 * 256 * 16 + 2 * 16), (8, {}, 8 + 2 * 8 * 4 + 8), (64, dict(reduction=4), 64 + 2 * 64 * 16 + 32)])
def test_parameters_of_global_context_are_those_counted_by_hand(channels, arguments, count):
    assert parameters(GlobalContext, channels, **arguments) == count
