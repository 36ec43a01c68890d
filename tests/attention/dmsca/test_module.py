"""The operator against its contract: an independent formula, finite differences, and refused input."""
import math

import pytest
import torch
from torch.nn import functional

from dmsca_mm import DMSCA

CHANNELS = 12


def randomised(in_channels=CHANNELS, **arguments):
    """A DMSCA with no parameter at a special value."""
    torch.manual_seed(0)
    module = DMSCA(in_channels, **arguments)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def formula(state, x, s, kernel_sizes):
    """The contract's table, in plain loops and sums; shares no code with the package."""
    n, c, h, w = x.shape
    flat = x.reshape(n, c, h * w)
    pooled = flat.sum(2) / (h * w) + flat.max(2).values
    hidden = (pooled @ state['gce.fc1.weight'].flatten(1).T + state['gce.fc1.bias']).clamp(min=0)
    context = hidden @ state['gce.fc2.weight'].flatten(1).T + state['gce.fc2.bias']
    log_temperature = min(max(state['tca.log_temperature'].item(), -math.log(20)), math.log(20))
    channel = s / (1 + torch.exp(-context / math.exp(log_temperature)))
    mean, maximum = x.sum(1) / c, x.max(1).values
    layers = torch.stack([mean, maximum], 1)
    branches = []
    for i, k in enumerate(kernel_sizes):
        weight, bias = state[f'msce.convs.{i}.weight'], state[f'msce.convs.{i}.bias']
        branches.append(functional.conv2d(layers, weight, bias, padding=k // 2))
    d = state['dii.conv_h.weight'].shape[2]
    rows = functional.conv2d(layers.sum(3, keepdim=True) / w, state['dii.conv_h.weight'], state['dii.conv_h.bias'],
                             padding=(d // 2, 0))
    columns = functional.conv2d(layers.sum(2, keepdim=True) / h, state['dii.conv_w.weight'], state['dii.conv_w.bias'],
                                padding=(0, d // 2))
    branches.append(torch.sigmoid(rows).expand(n, 1, h, w) * torch.sigmoid(columns).expand(n, 1, h, w))
    fuse = state['msce.fuse.weight'].flatten()
    spatial = sum(weight * branch for weight, branch in zip(fuse, branches, strict=True)) + state['msce.fuse.bias']
    spatial = s * torch.sigmoid(spatial)
    x_c, x_s = x * channel[:, :, None, None], x * spatial
    gate = state['dff.gate.weight'].flatten()
    gate = torch.einsum('c,nchw->nhw', gate[:c], x_c) + torch.einsum('c,nchw->nhw', gate[c:], x_s)
    gate = torch.sigmoid(gate + state['dff.gate.bias'])[:, None]
    fused = gate * x_c + (1 - gate) * x_s
    activation = torch.einsum('c,nchw->nhw', state['aa.conv.weight'].flatten(), fused) + state['aa.conv.bias']
    return fused * s * torch.sigmoid(activation)[:, None]


@pytest.mark.parametrize('form', ['fast', 'literal'])
@pytest.mark.parametrize(('init', 's'), [('identity', 2), ('paper', 1)])
@pytest.mark.parametrize('kernel_sizes', [(3, 5, 7), (1,)])
def test_output_is_the_formula(form, init, s, kernel_sizes):
    module = randomised(init=init, kernel_sizes=kernel_sizes, direction_kernel_size=5, form=form).double()
    x = torch.randn(3, CHANNELS, 6, 9, dtype=torch.double)
    torch.testing.assert_close(module(x), formula(module.state_dict(), x, s, kernel_sizes), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('form', ['fast', 'literal'])
def test_gradients_are_finite_differences(form):
    module = randomised(4, kernel_sizes=(3,), direction_kernel_size=3, form=form).double()
    names, parameters = zip(*module.named_parameters(), strict=True)
    x = torch.randn(2, 4, 3, 4, dtype=torch.double, requires_grad=True)

    def function(x, *parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    leaves = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    assert torch.autograd.gradcheck(function, (x, *leaves))


def test_state_dict_names_and_shapes():
    shapes = {name: tuple(value.shape) for name, value in DMSCA(64).state_dict().items()}
    assert shapes == {
        'gce.fc1.weight': (4, 64, 1, 1), 'gce.fc1.bias': (4,), 'gce.fc2.weight': (64, 4, 1, 1), 'gce.fc2.bias': (64,),
        'tca.log_temperature': (),
        'msce.convs.0.weight': (1, 2, 3, 3), 'msce.convs.0.bias': (1,),
        'msce.convs.1.weight': (1, 2, 5, 5), 'msce.convs.1.bias': (1,),
        'msce.convs.2.weight': (1, 2, 7, 7), 'msce.convs.2.bias': (1,),
        'msce.fuse.weight': (1, 4, 1, 1), 'msce.fuse.bias': (1,),
        'dii.conv_h.weight': (1, 2, 7, 1), 'dii.conv_h.bias': (1,),
        'dii.conv_w.weight': (1, 2, 1, 7), 'dii.conv_w.bias': (1,),
        'dff.gate.weight': (1, 128, 1, 1), 'dff.gate.bias': (1,),
        'aa.conv.weight': (1, 64, 1, 1), 'aa.conv.bias': (1,)}


def test_hidden_width_follows_reduction_down_to_four():
    assert DMSCA(256, reduction=16).gce.fc1.out_channels == 16
    assert DMSCA(8, reduction=16).gce.fc1.out_channels == 4


@pytest.mark.parametrize('form', ['fast', 'literal'])
def test_identity_start_returns_the_input_bit_for_bit(form):
    x = 100 * torch.randn(2, CHANNELS, 5, 7)
    assert torch.equal(DMSCA(CHANNELS, form=form)(x), x)
    module = DMSCA(CHANNELS, form=form)
    torch.nn.init.normal_(module.dff.gate.weight, std=10)
    assert torch.equal(module(x), x), 'whatever the gate is'


def test_identity_start_is_kaiming_fan_in():
    drawn = torch.cat([DMSCA(1024).dff.gate.weight.flatten() for _ in range(20)])
    assert drawn.std().item() == pytest.approx(math.sqrt(2 / 2048), rel=0.05)


def test_paper_start_is_kaiming_fan_out_with_gates_below_one():
    module = DMSCA(64, init='paper')
    assert module.gce.fc2.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.2)
    assert all(not parameter.any() for name, parameter in module.named_parameters() if name.endswith('bias'))
    seen = module.explain(torch.randn(2, 64, 8, 8))
    for gate in (seen.channel, seen.spatial, seen.activation):
        assert gate.max() <= 1


@pytest.mark.parametrize('init', ['identity', 'paper'])
def test_init_weights_restores_the_start(init):
    module = randomised(init=init, temperature=3.0)
    module.init_weights()
    assert module.explain(torch.randn(1, CHANNELS, 4, 4)).temperature == pytest.approx(3.0)
    assert not module.gce.fc1.bias.any()
    zero = [not last.weight.any() for last in (module.gce.fc2, module.msce.fuse, module.aa.conv)]
    assert zero == [init == 'identity'] * 3


def test_temperature_is_clamped_where_it_is_used():
    module = randomised()
    x = torch.randn(1, CHANNELS, 4, 4)
    torch.nn.init.constant_(module.tca.log_temperature, 50.0)
    assert module.explain(x).temperature == pytest.approx(20)
    torch.nn.init.constant_(module.tca.log_temperature, -50.0)
    assert module.explain(x).temperature == pytest.approx(1 / 20)


@pytest.mark.parametrize('form', ['fast', 'literal'])
@pytest.mark.parametrize('layout', ['contiguous', 'channels_last', 'expanded', 'sliced'])
def test_memory_format_is_kept(form, layout):
    module = randomised(form=form)
    dense = torch.randn(2, CHANNELS, 6, 4)
    x = {'contiguous': dense, 'channels_last': dense.to(memory_format=torch.channels_last),
         'expanded': dense[:1].expand(2, -1, -1, -1), 'sliced': torch.randn(2, CHANNELS, 12, 8)[:, :, ::2, ::2]}[layout]
    y = module(x)
    torch.testing.assert_close(y, module(x.contiguous()))
    for format_ in (torch.contiguous_format, torch.channels_last):
        if x.is_contiguous(memory_format=format_):
            assert y.is_contiguous(memory_format=format_)


@pytest.mark.parametrize('form', ['fast', 'literal'])
def test_empty_batch_passes_with_gradients(form):
    module = randomised(form=form)
    x = torch.randn(0, CHANNELS, 3, 5, requires_grad=True)
    y = module(x)
    y.sum().backward()
    assert y.shape == x.shape == x.grad.shape
    assert all(not parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize('form', ['fast', 'literal'])
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_bad_numbers_stay_visible(form, value):
    x = torch.randn(1, CHANNELS, 3, 3)
    x[0, 2, 1, 1] = value
    assert not randomised(form=form)(x)[0, 2, 1, 1].isfinite()


def test_bfloat16_in_bfloat16_out():
    x = torch.randn(1, CHANNELS, 3, 3)
    y = randomised().bfloat16()(x.bfloat16())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), randomised()(x), rtol=0.1, atol=0.1)


def test_explanation_tells_the_scale_of_the_output():
    module = randomised().double()
    x = torch.rand(2, CHANNELS, 5, 4, dtype=torch.double) + 0.5
    seen = module.explain(x)
    torch.testing.assert_close(seen.scale, (module(x) / x).mean(1))
    shapes = [tuple(value.shape) for value in (seen.channel, seen.spatial, seen.gate, seen.activation)]
    assert shapes == [(2, CHANNELS), (2, 5, 4), (2, 5, 4), (2, 5, 4)]
    assert not seen.scale.requires_grad


@pytest.mark.parametrize(('arguments', 'error', 'words'), [
    (dict(in_channels=0), ValueError, ['in_channels', '0', '>= 1']),
    (dict(in_channels=2.0), TypeError, ['in_channels', '2.0', 'int']),
    (dict(in_channels=True), TypeError, ['in_channels', 'True', 'bool']),
    (dict(reduction=-1), ValueError, ['reduction', '-1', '>= 1']),
    (dict(kernel_sizes=()), ValueError, ['kernel_sizes', '()', 'non-empty']),
    (dict(kernel_sizes=(3, 4)), ValueError, ['kernel_sizes[1]', '4', 'odd']),
    (dict(kernel_sizes=3), TypeError, ['kernel_sizes', '3', 'sequence']),
    (dict(kernel_sizes='357'), TypeError, ['kernel_sizes', '357', 'sequence']),
    (dict(kernel_sizes=(3, '5')), TypeError, ['kernel_sizes[1]', "'5'", 'int']),
    (dict(direction_kernel_size=2), ValueError, ['direction_kernel_size', '2', 'odd']),
    (dict(direction_kernel_size=None), TypeError, ['direction_kernel_size', 'None', 'odd']),
    (dict(temperature=0), ValueError, ['temperature', '0', '> 0']),
    (dict(temperature=math.inf), ValueError, ['temperature', 'inf', 'finite']),
    (dict(temperature='1'), TypeError, ['temperature', "'1'", 'float']),
    (dict(init='zero'), ValueError, ['init', "'zero'", "'identity', 'paper'"]),
    (dict(init=None), TypeError, ['init', 'None', 'identity']),
    (dict(form='slow'), ValueError, ['form', "'slow'", "'fast', 'literal'"]),
])
def test_wrong_argument_is_named_with_value_and_what_is_allowed(arguments, error, words):
    with pytest.raises(error) as caught:
        DMSCA(**{'in_channels': 8, **arguments})
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize('form', ['fast', 'literal'])
@pytest.mark.parametrize('x', [
    torch.zeros(CHANNELS, 4, 4), torch.zeros(1, 5, 4, 4), torch.zeros(1, CHANNELS, 4, 4, dtype=torch.long),
    torch.zeros(1, CHANNELS, 0, 4), torch.zeros(1, CHANNELS, 4, 0), torch.zeros(1, CHANNELS, 4, 4, dtype=torch.cfloat)])
def test_wrong_input_is_refused_with_both_shapes(form, x):
    module = DMSCA(CHANNELS, form=form)
    for call in (module, module.explain):
        with pytest.raises(ValueError, match='expected') as caught:
            call(x)
        assert f'(N, {CHANNELS}, H, W)' in str(caught.value)
        assert str(tuple(x.shape)) in str(caught.value)
