"""The peers against their papers' equations, written out again, and against the interface they share with DMSCA."""
import math

import pytest
import torch
from mmengine.registry import MODELS
from torch.nn import functional

from dmsca_mm.attention.peers import CBAM, ECA, SE, CoordinateAttention

PEERS = [SE, ECA, CBAM, CoordinateAttention]
CHANNELS = 12
every_peer = pytest.mark.parametrize('peer', PEERS)


def randomised(peer, **arguments):
    """A peer none of whose parameters sits at a special value, in evaluation mode."""
    torch.manual_seed(0)
    module = peer(CHANNELS, **arguments).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def perceptron(state, vectors):
    """(N, C) through fc1, relu, fc2."""
    return (vectors @ state['fc1.weight'].flatten(1).T).clamp(min=0) @ state['fc2.weight'].flatten(1).T


def se(state, x, s):
    n, c, h, w = x.shape
    return x * s * sigmoid(perceptron(state, x.reshape(n, c, -1).sum(2) / (h * w)))[:, :, None, None]


def eca(state, x, s):
    n, c, h, w = x.shape
    kernel = state['conv.weight'].flatten()
    pad = len(kernel) // 2
    pooled = functional.pad(x.reshape(n, c, -1).sum(2) / (h * w), (pad, pad))
    logits = sum(weight * pooled[:, i:i + c] for i, weight in enumerate(kernel))
    return x * s * sigmoid(logits)[:, :, None, None]


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


FORMULAS = {SE: se, ECA: eca, CBAM: cbam, CoordinateAttention: coordinate}


@every_peer
@pytest.mark.parametrize(('init', 's'), [('identity', 2), ('paper', 1)])
def test_output_is_the_papers_formula(peer, init, s):
    module = randomised(peer, init=init).double()
    x = torch.randn(3, CHANNELS, 6, 9, dtype=torch.double)
    torch.testing.assert_close(module(x), FORMULAS[peer](module.state_dict(), x, s), rtol=1e-12, atol=1e-12)


def test_coordinate_attention_normalises_rows_and_columns_together_in_training():
    module = randomised(CoordinateAttention).double()
    x = torch.randn(3, CHANNELS, 6, 9, dtype=torch.double)
    state, weight = module.state_dict(), module.conv.weight.flatten(1)
    means = torch.cat([x.sum(3) / 9, x.sum(2) / 6], 2)
    hidden = torch.einsum('oc,ncl->nol', weight, means)
    state['norm.running_mean'] = hidden.mean((0, 2))
    state['norm.running_var'] = hidden.var((0, 2), correction=0)
    torch.testing.assert_close(module.train()(x), coordinate(state, x, 2), rtol=1e-12, atol=1e-12)


@every_peer
@pytest.mark.parametrize('training', [True, False])
def test_identity_start_returns_the_input_bit_for_bit(peer, training):
    x = 100 * torch.randn(2, CHANNELS, 5, 7)
    assert torch.equal(peer(CHANNELS).train(training)(x), x)


@every_peer
def test_identity_start_can_learn(peer):
    module = peer(CHANNELS)
    module(torch.randn(2, CHANNELS, 5, 7)).square().sum().backward()
    assert all(module.get_submodule(name).weight.grad.any() for name in module._last)


@every_peer
@pytest.mark.parametrize('init_cfg', [None, [dict(type='Kaiming', layer='Conv2d')]])
def test_identity_start_survives_init_weights_of_a_resnet(peer, init_cfg):
    entry = dict(cfg=dict(type=peer), stages=(True,) * 4, position='after_conv3')
    backbone = MODELS.build(dict(type='mmdet.ResNet', depth=50, base_channels=8, stem_channels=8, plugins=[entry],
                                 init_cfg=init_cfg))
    backbone.init_weights()
    found = [module for module in backbone.modules() if isinstance(module, peer)]
    assert len(found) == 3 + 4 + 6 + 3
    for module in found:
        x = torch.randn(2, module.in_channels, 4, 4)
        assert torch.equal(module(x), x)


@every_peer
def test_paper_start_is_kaiming_fan_out(peer):
    module = peer(1024, init='paper')
    name = module._last[0]
    weight = module.get_submodule(name).weight
    fan_out = weight.shape[0] * weight[0, 0].numel()
    if peer is ECA:
        deviations = torch.stack([peer(1024, init='paper').conv.weight for _ in range(200)])
        assert deviations.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.15)
    else:
        assert weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)


@every_peer
def test_init_weights_forgets_what_was_learnt(peer):
    module = randomised(peer).train()
    module(torch.randn(4, CHANNELS, 5, 7))
    module.init_weights()
    fresh = peer(CHANNELS).state_dict()
    for name, value in module.state_dict().items():
        if not name.startswith(('fc1', 'conv.')) or peer is ECA:
            assert torch.equal(value, fresh[name]), name


@pytest.mark.parametrize(('peer', 'channels', 'count'), [
    (SE, 256, 2 * 256 * 16), (SE, 8, 2 * 8 * 1),
    (ECA, 2048, 7), (ECA, 1024, 5), (ECA, 512, 5), (ECA, 256, 5), (ECA, 64, 3), (ECA, 1, 1),
    (CBAM, 256, 2 * 256 * 16 + 2 * 7 * 7),
    (CoordinateAttention, 512, 3 * 512 * 16 + 2 * 16), (CoordinateAttention, 64, 3 * 64 * 8 + 2 * 8)])
def test_parameters_are_those_counted_by_hand(peer, channels, count):
    assert sum(parameter.numel() for parameter in peer(channels).parameters()) == count


@every_peer
@pytest.mark.parametrize('layout', ['contiguous', 'channels_last', 'expanded', 'sliced'])
def test_memory_format_is_kept(peer, layout):
    module = randomised(peer)
    dense = torch.randn(2, CHANNELS, 6, 4)
    x = {'contiguous': dense, 'channels_last': dense.to(memory_format=torch.channels_last),
         'expanded': dense[:1].expand(2, -1, -1, -1), 'sliced': torch.randn(2, CHANNELS, 12, 8)[:, :, ::2, ::2]}[layout]
    y = module(x)
    torch.testing.assert_close(y, module(x.contiguous()))
    for format_ in (torch.contiguous_format, torch.channels_last):
        if x.is_contiguous(memory_format=format_):
            assert y.is_contiguous(memory_format=format_)


@every_peer
@pytest.mark.parametrize('training', [True, False])
def test_empty_batch_passes_with_gradients(peer, training):
    module = randomised(peer).train(training)
    x = torch.randn(0, CHANNELS, 3, 5, requires_grad=True)
    y = module(x)
    y.sum().backward()
    assert y.shape == x.shape == x.grad.shape
    assert all(value.isfinite().all() for value in module.state_dict().values())


@every_peer
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_bad_numbers_stay_visible(peer, value):
    x = torch.randn(1, CHANNELS, 3, 3)
    x[0, 2, 1, 1] = value
    assert not randomised(peer)(x)[0, 2, 1, 1].isfinite()


@every_peer
def test_bfloat16_in_bfloat16_out(peer):
    x = torch.randn(1, CHANNELS, 3, 3)
    expected = randomised(peer)(x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = randomised(peer)(x.bfloat16())
    for y in (mixed, randomised(peer).bfloat16()(x.bfloat16())):
        assert y.dtype == torch.bfloat16
        torch.testing.assert_close(y.float(), expected, rtol=0.1, atol=0.1)


@every_peer
@pytest.mark.parametrize(('arguments', 'error', 'words'), [
    (dict(in_channels=0), ValueError, ['in_channels', '0', '>= 1']),
    (dict(in_channels=2.0), TypeError, ['in_channels', '2.0', 'int']),
    (dict(init='zero'), ValueError, ['init', "'zero'", "'identity', 'paper'"]),
    (dict(init=None), TypeError, ['init', 'None', 'identity']),
    (dict(reduction=0), ValueError, ['reduction', '0', '>= 1']),
    (dict(reduction='16'), TypeError, ['reduction', "'16'", 'int']),
    (dict(kernel_size=4), ValueError, ['kernel_size', '4', 'odd']),
    (dict(kernel_size=None), TypeError, ['kernel_size', 'None', 'odd']),
    (dict(gamma=0), ValueError, ['gamma', '0', '> 0']),
    (dict(b='1'), TypeError, ['b', "'1'", 'float'])])
def test_wrong_argument_is_named_with_value_and_what_is_allowed(peer, arguments, error, words):
    own = {SE: {'reduction'}, ECA: {'gamma', 'b'}, CBAM: {'reduction', 'kernel_size'},
           CoordinateAttention: {'reduction'}}
    if not set(arguments) <= own[peer] | {'in_channels', 'init'}:
        error, words = TypeError, ['unexpected keyword', *arguments]
    with pytest.raises(error) as caught:
        peer(**{'in_channels': 8, **arguments})
    assert all(word in str(caught.value) for word in words)


@every_peer
@pytest.mark.parametrize('x', [
    torch.zeros(CHANNELS, 4, 4), torch.zeros(1, 5, 4, 4), torch.zeros(1, CHANNELS, 4, 4, dtype=torch.long),
    torch.zeros(1, CHANNELS, 0, 4), torch.zeros(1, CHANNELS, 4, 0)])
def test_wrong_input_is_refused_with_both_shapes(peer, x):
    with pytest.raises(ValueError, match='expected') as caught:
        peer(CHANNELS)(x)
    assert f'(N, {CHANNELS}, H, W)' in str(caught.value)
    assert str(tuple(x.shape)) in str(caught.value)
