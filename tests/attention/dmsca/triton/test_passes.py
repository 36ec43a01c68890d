"""The operator with these kernels against the literal form in double precision."""
import math

import pytest
import torch
from forms import assert_agree, pair, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stages import SMALL

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import op, rearranged
from dmsca_mm.attention.dmsca.triton import attend, attend_backward, plan

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU; there is none here')


def compare(shape, device, dtype=torch.float32, tolerance=1e-5, channels_last=False, ties=False, **arguments):
    """Compare output and gradients of the kernels with the literal form in double precision."""
    arguments = {**SMALL, **arguments}
    literal, _ = pair(shape[1], torch.float64, **arguments)
    _, fast = pair(shape[1], **arguments)
    literal, fast = literal.to(device), fast.to(device)
    random = torch.Generator().manual_seed(sum(shape))
    x, dy = (torch.randn(shape, generator=random).to(device, dtype) for _ in range(2))
    if ties:
        x = x.round()
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    found, expected = run(fast, x, dy), run(literal, x.double(), dy.double())
    assert found[0].dtype == found[1].dtype == dtype
    assert found[0].stride() == found[1].stride() == x.stride()
    assert_agree(*[(y.double(), d_x.double(), [d.double() for d in d_parameters])
                   for y, d_x, d_parameters in (found, expected)], tolerance)


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (2, 6, 3, 5), (1, 70, 9, 7)])
def test_agrees_with_the_literal_form(shape, channels_last, used, device):
    compare(shape, device, channels_last=channels_last)
    assert used == [shape]


@pytest.mark.parametrize('arguments', [
    dict(kernel_sizes=(3, 5, 7), direction_kernel_size=7), dict(init='paper'), dict(ties=True),
    dict(kernel_sizes=(1, 5), reduction=2), dict(kernel_sizes=(1, 3, 1, 1, 3)), dict(temperature=30.0)])
def test_agrees_with_every_constructor_and_with_equal_maxima(arguments, used, device):
    compare((2, 12, 5, 4), device, **arguments)
    assert used


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 8), st.integers(1, 8)),
       channels_last=st.booleans(), ties=st.booleans(), init=st.sampled_from(['identity', 'paper']))
def test_agrees_for_any_shape(shape, channels_last, ties, init, used, device):
    compare(shape, device, channels_last=channels_last, ties=ties, init=init, kernel_sizes=(3,),
            direction_kernel_size=1)
    assert used.pop() == shape


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.bfloat16, 2 ** -7), (torch.float16, 2 ** -10)])
def test_keeps_the_input_type_and_sums_in_single_precision(dtype, tolerance, used, device):
    compare((2, 24, 6, 9), device, dtype, tolerance)
    assert used


def test_wide_maps_are_read_again_instead_of_held(used, device, monkeypatch):
    monkeypatch.setattr(plan, 'HELD_CHANNELS', 0)
    compare((2, 40, 5, 7), device)
    assert used


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_identity_initialization_gives_the_input_bit_for_bit(dtype, used, device):
    x = 1e3 * torch.randn(2, 16, 5, 6, device=device).to(dtype)
    for bias in (-3.0, 0.0, 0.1, 7.0):  # for any gate
        module = DMSCA(16, **SMALL).to(device)
        torch.nn.init.constant_(module.dff.gate.bias, bias)
        assert torch.equal(module(x), x)
    assert len(used) == 4


def test_same_input_gives_the_same_bits(used, device):
    fast = pair(20, **SMALL)[1].to(device)
    x, dy = torch.randn(2, 2, 20, 7, 6, device=device)
    (y, d_x, d), (y_again, d_x_again, d_again) = run(fast, x, dy), run(fast, x, dy)
    assert all(torch.equal(a, b) for a, b in zip([y, d_x, *d], [y_again, d_x_again, *d_again], strict=True))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_stay_in_their_image_and_reach_all_parameters(bad, used, device):
    literal, fast = (module.to(device) for module in pair(6, **SMALL))
    x, dy = torch.randn(2, 2, 6, 4, 5, device=device)
    x[0, 2, 1, 3] = bad
    (y, d_x, d), (y_literal, d_x_literal, d_literal) = run(fast, x, dy), run(literal, x, dy)
    assert used
    for found, expected in ((y, y_literal), (d_x, d_x_literal)):
        torch.testing.assert_close(found[1], expected[1])
        if math.isnan(bad):
            assert found[0].isnan().all()
            assert expected[0].isnan().all()
        else:
            assert not found[0].isfinite().all()
    assert all(torch.equal(a.isfinite(), b.isfinite()) for a, b in zip(d, d_literal, strict=True))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_kept_maxima_are_those_of_amax(bad, device):
    x, parameters = torch.randn(2, 3, 4, 5, device=device), pair(3, **SMALL)[1].to(device).operator_arguments()
    x[0, 2, 1, 3] = bad
    parameters = parameters.nest([tensor.detach() for tensor in parameters.flat()])
    stats = attend(x, parameters, 2.0)[1]
    torch.testing.assert_close(stats.spatial_max, x.amax((2, 3)), equal_nan=True)
    torch.testing.assert_close(stats.layers[:, 1], x.amax(1), equal_nan=True)


@pytest.mark.parametrize('frozen', ['input', 'all parameters', 'the gate'])
def test_what_is_frozen_gets_no_gradient(frozen, used, device):
    fast = pair(6, **SMALL)[1].to(device)
    x = torch.randn(2, 6, 4, 5, device=device, requires_grad=frozen != 'input')
    for name, parameter in fast.named_parameters():
        parameter.requires_grad_(frozen == 'input' or (frozen == 'the gate' and 'dff' not in name))
    fast(x).sum().backward()
    assert used
    assert (x.grad is None) == (frozen == 'input')
    assert all((parameter.grad is None) != parameter.requires_grad for parameter in fast.parameters())


def test_inference_without_gradients_is_the_same(used, device):
    fast = pair(6, **SMALL)[1].to(device)
    x = torch.randn(2, 6, 4, 5, device=device)
    with torch.inference_mode():
        y = fast(x)
    assert torch.equal(y, fast(x.clone().requires_grad_()).detach())
    assert used


def test_gradients_have_the_type_and_layout_of_their_parameters(device):
    module = DMSCA(8, **SMALL).to(device, torch.bfloat16, memory_format=torch.channels_last)
    parameters = module.operator_arguments()
    parameters = parameters.nest([tensor.detach() for tensor in parameters.flat()])
    x = torch.randn(1, 8, 3, 3, device=device, dtype=torch.bfloat16)
    y, stats = attend(x, parameters, 2.0)
    _, gradients = attend_backward(x, x, stats, parameters, 2.0)
    for gradient, tensor in zip(gradients.flat(), parameters.flat(), strict=True):
        assert (gradient.dtype, gradient.shape, gradient.stride()) == (tensor.dtype, tensor.shape, tensor.stride())
    expected, exact = rearranged.attend(x, parameters, 2.0)
    torch.testing.assert_close(y, expected)
    for found, kept in zip(stats, exact, strict=True):
        assert found.dtype is kept.dtype
        torch.testing.assert_close(found, kept, rtol=2e-2, atol=2e-2)


def test_autocast_leaves_the_small_tensors_in_single_precision(used, device):
    fast = pair(16, **SMALL)[1].to(device)
    x, dy = (torch.randn(2, 16, 5, 5, device=device) for _ in range(2))
    expected = run(fast, x, dy)
    with torch.autocast(device, dtype=torch.bfloat16):
        found = run(fast, x, dy)
    assert_agree(found, expected, 1e-6)
    assert len(used) == 2


def test_what_is_not_covered_goes_to_the_rearranged_form(used, device, monkeypatch):
    monkeypatch.setattr(op, '_warned', set())
    module, x = pair(4, torch.float64, **SMALL)[1].to(device), torch.randn(1, 4, 3, 3, device=device).double()
    with pytest.warns(UserWarning, match='without its native .* kernels, .*: X is torch.float64'):
        module(x)
    assert not used


@needs_gpu
def test_cuda_graph_replays_a_training_step():
    fast = pair(64)[1].cuda()
    x, dy = torch.randn(2, 64, 14, 14, device='cuda', requires_grad=True), torch.randn(2, 64, 14, 14, device='cuda')
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            fast(x).backward(dy)
    torch.cuda.current_stream().wait_stream(stream)
    x.grad = None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = fast(x)
        y.backward(dy)
    with torch.no_grad():
        x.copy_(torch.randn_like(x))
        x.grad.zero_()
    graph.replay()
    expected = run(fast, x.detach(), dy)
    torch.testing.assert_close(y, expected[0])


@needs_gpu
def test_backbone_compiles_as_one_graph():
    import contextlib
    import io

    from mmengine.registry import MODELS
    with contextlib.redirect_stdout(io.StringIO()):
        backbone = MODELS.build(dict(type='mmdet.ResNet', depth=50, plugins=[
            dict(cfg=dict(type='DMSCA'), stages=(True,) * 4, position='after_conv3')])).cuda().eval()
    x = torch.randn(2, 3, 64, 64, device='cuda')
    expected = backbone(x)
    found = torch.compile(backbone, fullgraph=True)(x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
