"""Every peer of the table against the interface that it shares with DMSCA."""
import inspect
import math

import pytest
import torch
from formulas import CHANNELS, randomised
from mmengine.registry import MODELS
from torch import fx, nn

from dmsca_mm.attention import PEERS

every_peer = pytest.mark.parametrize('peer', [pytest.param(peer.operator, id=peer.name) for peer in PEERS])


@every_peer
@pytest.mark.parametrize('training', [True, False])
def test_identity_initialization_returns_the_input_bit_for_bit(peer, training):
    x = 100 * torch.randn(2, CHANNELS, 5, 7)
    assert torch.equal(peer(CHANNELS).train(training)(x), x)


@every_peer
def test_identity_initialization_can_learn(peer):
    module = peer(CHANNELS)
    module(torch.randn(2, CHANNELS, 5, 7)).square().sum().backward()
    assert all(module.get_submodule(name).weight.grad.any() for name in module._last)


@every_peer
@pytest.mark.parametrize('init_cfg', [None, [dict(type='Kaiming', layer='Conv2d')]])
def test_identity_initialization_survives_init_weights_of_a_resnet(peer, init_cfg):
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
def test_paper_initialization_is_kaiming_fan_out(peer):
    layer = next(name for name, module in peer(1024).named_modules() if isinstance(module, (nn.Conv1d, nn.Conv2d)))
    weight = peer(1024, init='paper').get_submodule(layer).weight
    fan_out = weight.shape[0] * weight[0, 0].numel()
    drawn = torch.cat([peer(1024, init='paper').get_submodule(layer).weight.flatten()
                       for _ in range(math.ceil(10_000 / weight.numel()))])
    assert drawn.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)


@every_peer
def test_identity_initialization_is_kaiming_fan_in(peer):
    layers = {name for name, module in peer(1024).named_modules() if isinstance(module, (nn.Conv1d, nn.Conv2d))}
    for layer in layers - {*peer._last}:
        weight = peer(1024).get_submodule(layer).weight
        drawn = torch.cat([peer(1024).get_submodule(layer).weight.flatten()
                           for _ in range(math.ceil(10_000 / weight.numel()))])
        assert drawn.std().item() == pytest.approx(math.sqrt(2 / weight[0].numel()), rel=0.05)


@every_peer
def test_init_weights_forgets_what_was_learnt(peer):
    module = randomised(peer).train()
    module(torch.randn(4, CHANNELS, 5, 7))
    learnt = {name: value.clone() for name, value in module.state_dict().items()}
    module.init_weights()
    fresh, other = peer(CHANNELS).state_dict(), peer(CHANNELS).state_dict()
    for name, value in module.state_dict().items():
        if torch.equal(fresh[name], other[name]):
            assert torch.equal(value, fresh[name]), name
        else:
            assert not torch.equal(value, learnt[name]), f'{name} is drawn anew'


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
@pytest.mark.parametrize('channels', [4, 16])
def test_one_pixel_alone_gives_what_it_gives_in_a_batch(peer, channels):
    module, x = randomised(peer, channels), torch.randn(2, channels, 1, 1, requires_grad=True)
    y = module(x[:1])
    torch.testing.assert_close(y, module(x)[:1])
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x), torch.autograd.grad(module(x)[:1].sum(), x))


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
    if not set(arguments) <= set(inspect.signature(peer).parameters):
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


# SCSA's windows depend on the size of the map, which FX does not know.
@pytest.mark.parametrize('peer', [pytest.param(peer.operator, id=peer.name) for peer in PEERS if peer.name != 'scsa'])
def test_fx_traces_it(peer):
    module, x = randomised(peer), torch.randn(2, CHANNELS, 6, 4)
    torch.testing.assert_close(fx.symbolic_trace(module)(x), module(x))
