"""Output and gradients of the fast form, by PyTorch's operators and by native kernels, against the literal form."""
import math

import pytest
import torch
from forms import assert_agree, pair, run
from hypothesis import given, settings
from hypothesis import strategies as st

from dmsca_mm.attention.dmsca import op


@pytest.fixture(autouse=True, scope='module', params=['PyTorch', 'native'])
def form(request):
    """Run every test with PyTorch's operators, and with the native kernels where they cover it.

    Returns a type that is covered and its tolerance.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(op.SWITCH, str(int(request.param == 'native')))
        yield (torch.float32, 2e-5) if request.param == 'native' else (torch.float64, 1e-12)


SIZES = dict(n=st.integers(0, 3), c=st.integers(1, 20), h=st.integers(1, 9), w=st.integers(1, 9))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(**SIZES, init=st.sampled_from(['identity', 'paper']), ties=st.booleans(), seed=st.integers(0, 99),
       kernel_sizes=st.sampled_from([(3, 5, 7), (1,), (5, 3)]))
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_forms_agree(dtype, tolerance, n, c, h, w, init, ties, seed, kernel_sizes):
    literal, fast = pair(c, dtype, init=init, kernel_sizes=kernel_sizes)
    random = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(n, c, h, w, dtype=dtype, generator=random) for _ in range(2))
    if ties:  # several maxima along channels and over pixels share one gradient
        x = x.round()
    assert_agree(run(fast, x, dy), run(literal, x, dy), tolerance)


def test_constant_map_shares_the_gradient_of_its_maxima_evenly(form):
    dtype, tolerance = form
    literal, fast = pair(6, dtype)
    x, dy = torch.ones(2, 6, 4, 5, dtype=dtype), torch.randn(2, 6, 4, 5, dtype=dtype)
    assert_agree(run(fast, x, dy), run(literal, x, dy), tolerance)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_single_parameters_agree_with_double_precision(dtype):
    reference, _ = pair(16, torch.float64)
    x, dy = torch.randn(2, 16, 8, 8, dtype=torch.float64), torch.randn(2, 16, 8, 8, dtype=torch.float64)
    _, fast = pair(16, dtype)
    expected, found = run(reference, x, dy), run(fast, x.to(dtype), dy.to(dtype))
    for name, a, b in zip(dict(fast.named_parameters()), found[2], expected[2], strict=True):
        assert (a.double() - b).norm() <= (1e-12 if dtype is torch.float64 else 1e-5) * b.norm(), name


@pytest.mark.parametrize('log_temperature', [-50.0, 50.0])
def test_a_clamped_temperature_gets_no_gradient(log_temperature, form):
    dtype, tolerance = form
    literal, fast = pair(6, dtype)
    for module in (literal, fast):
        torch.nn.init.constant_(module.tca.log_temperature, log_temperature)
    x, dy = torch.randn(2, 6, 4, 5, dtype=dtype), torch.randn(2, 6, 4, 5, dtype=dtype)
    assert_agree(run(fast, x, dy), run(literal, x, dy), tolerance)
    fast(x).backward(dy)
    assert not fast.tca.log_temperature.grad


@pytest.mark.parametrize('layout', ['channels_last', 'sliced', 'expanded', 'expanded dy'])
def test_gradients_in_any_layout(layout, form):
    dtype, tolerance = form
    literal, fast = pair(8, dtype)
    x, dy = torch.randn(2, 8, 6, 4, dtype=dtype), torch.randn(2, 8, 6, 4, dtype=dtype)
    expected = run(literal, x, dy)
    if layout == 'channels_last':
        x = x.to(memory_format=torch.channels_last)
    elif layout == 'sliced':
        x = torch.cat([x, x], 3)[..., :4]
    elif layout == 'expanded':
        x = x[:1].expand(2, -1, -1, -1)
        expected = run(literal, x.contiguous(), dy)
    else:
        dy = torch.ones((), dtype=dtype).expand_as(x)
        expected = run(literal, x, dy.contiguous())
    found = run(fast, x, dy)
    assert_agree(found, expected, tolerance)
    if layout == 'channels_last':
        assert found[0].is_contiguous(memory_format=torch.channels_last)
        assert found[1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('inputs', ['full', 'low'])
def test_autocast(dtype, inputs):
    _, fast = pair(16)
    x, dy = torch.randn(2, 16, 8, 8), torch.randn(2, 16, 8, 8)
    if inputs == 'low':
        x, dy = x.to(dtype), dy.to(dtype)
    expected = run(fast, x.float(), dy.float())
    with torch.autocast('cpu', dtype=dtype):
        found = run(fast, x, dy)
    assert found[0].dtype == found[1].dtype == x.dtype
    assert all(gradient.dtype == torch.float32 for gradient in found[2])
    assert_agree((found[0].float(), found[1].float(), found[2]), expected, 0.05 if inputs == 'low' else 1e-6)


def test_training_keeps_the_input_and_two_maps():
    n, c, h, w, hidden = 2, 64, 32, 32, 4
    _, fast = pair(c)
    x = torch.randn(n, c, h, w, requires_grad=True)
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        fast(x)
    for tensor in (x, *fast.parameters()):
        del kept[tensor.data_ptr()]
    assert sum(kept.values()) == n * (2 * h * w + 3 * c + hidden), 'D, three numbers a channel, the hidden layer'


def channels_last(tensor):
    """Return a copy whose channels, or columns, lie next to each other in another order."""
    if tensor.dim() == 4:
        return tensor.clone(memory_format=torch.channels_last)
    return tensor.T.clone(memory_format=torch.contiguous_format).T if tensor.dim() == 2 else tensor.clone()


@pytest.mark.parametrize('way', ['functional_call', 'kept elsewhere', 'kept in another memory format'])
def test_parameters_and_saved_tensors_may_be_others_in_backward(way, form):
    dtype, tolerance = form
    literal, fast = pair(8, dtype)
    random = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(2, 8, 5, 5, dtype=dtype, generator=random) for _ in range(2))
    expected = run(literal, x, dy)
    if way == 'functional_call':
        values = {name: parameter.detach().clone().requires_grad_() for name, parameter in fast.named_parameters()}
        with torch.no_grad():  # the module's own parameters must not be read
            for parameter in fast.parameters():
                parameter.fill_(math.nan)
        leaf = x.clone().requires_grad_()
        y = torch.func.functional_call(fast, values, (leaf,))
        y.backward(dy)
        found = y.detach(), leaf.grad, [value.grad for value in values.values()]
    else:
        keep = torch.clone if way == 'kept elsewhere' else channels_last
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            found = run(fast, x, dy)
    assert_agree(found, expected, tolerance)


def test_addition_in_place_on_the_output_as_a_bottleneck_does_it(form):
    dtype, tolerance = form
    literal, fast = pair(8, dtype)
    x = torch.randn(2, 8, 5, 5, dtype=dtype)
    gradients = []
    for module in (literal, fast):
        leaf = x.clone().requires_grad_()
        y = module(leaf * 2)
        y += leaf
        y.relu_().square().sum().backward()
        gradients.append(leaf.grad)
    largest = gradients[0].abs().max().item()
    torch.testing.assert_close(gradients[1], gradients[0], rtol=tolerance, atol=tolerance * largest)


def test_backward_twice_on_a_kept_graph_gives_the_same(form):
    _, fast = pair(8, form[0])
    x = torch.randn(2, 8, 5, 5, dtype=form[0], requires_grad=True)
    y = fast(x).square().sum()
    first = torch.autograd.grad(y, [x, *fast.parameters()], retain_graph=True)
    second = torch.autograd.grad(y, [x, *fast.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize('frozen', ['input', 'all parameters', 'biases'])
def test_what_is_frozen_gets_no_gradient_and_the_rest_its_own(frozen, form):
    dtype, tolerance = form
    literal, fast = pair(8, dtype)
    x, dy = torch.randn(2, 8, 5, 5, dtype=dtype), torch.randn(2, 8, 5, 5, dtype=dtype)
    _, d_x, d_parameters = run(literal, x, dy)
    names = [name for name, _ in fast.named_parameters()]
    for name, parameter in fast.named_parameters():
        parameter.requires_grad_(frozen == 'input' or (frozen == 'biases' and not name.endswith('bias')))
    leaf = x.clone().requires_grad_(frozen != 'input')
    fast(leaf).backward(dy)
    if frozen == 'input':
        assert leaf.grad is None
    else:
        torch.testing.assert_close(leaf.grad, d_x, rtol=tolerance, atol=tolerance * d_x.abs().max().item())
    largest = max(gradient.abs().max().item() for gradient in d_parameters)
    for name, parameter, expected in zip(names, fast.parameters(), d_parameters, strict=True):
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, expected, rtol=tolerance, atol=tolerance * largest, msg=name)
        else:
            assert parameter.grad is None


def test_no_gradient_is_asked_of_a_frozen_module_on_a_plain_input(form):
    fast = pair(4, form[0])[1].requires_grad_(False)
    assert not fast(torch.randn(1, 4, 3, 3, dtype=form[0])).requires_grad


def test_inference_and_training_give_the_same_bits():
    _, fast = pair(16)
    x = torch.randn(2, 16, 7, 5)
    trained = fast(x.requires_grad_())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(fast(x), trained)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_non_finite_number_reaches_the_gradients_that_it_reaches_in_the_literal_form(value):
    literal, fast = pair(24)
    x = torch.randn(2, 24, 7, 8)
    x[0, 1, 1, 1] = value
    (_, d_x, d), (_, d_x_literal, d_literal) = (run(module, x, torch.ones_like(x)) for module in (fast, literal))
    assert not d_x.isfinite().all()
    for found, expected in zip((d_x, *d), (d_x_literal, *d_literal), strict=True):
        assert torch.equal(found.isfinite(), expected.isfinite())
