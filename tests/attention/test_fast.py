"""The fast form against the literal one: output, every gradient, and every way in which people run a module."""
import math

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.checkpoint import checkpoint

from dmsca_mm import DMSCA

SIZES = dict(n=st.integers(0, 3), c=st.integers(1, 20), h=st.integers(1, 9), w=st.integers(1, 9))


def pair(in_channels, dtype=torch.float32, **arguments):
    """A literal and a fast DMSCA with the same parameters, none at a special value."""
    torch.manual_seed(0)
    literal = DMSCA(in_channels, form='literal', **arguments)
    with torch.no_grad():
        for parameter in literal.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    literal.to(dtype)
    fast = DMSCA(in_channels, form='fast', **arguments).to(dtype)
    fast.load_state_dict(literal.state_dict())
    return literal, fast


def run(module, x, dy):
    """Output, gradient of X and gradients of the parameters."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    module.zero_grad()
    y = module(x)
    y.backward(dy)
    return y.detach(), x.grad, [parameter.grad for parameter in module.parameters()]


class Wrapped(torch.nn.Module):
    """A module that is called in another way."""

    def __init__(self, module, call):
        super().__init__()
        self.module, self.forward = module, call


def assert_agree(found, expected, tolerance):
    """Each tensor within a share of the largest value in its kind: outputs, dX, all parameters' gradients together."""
    parameters = torch.cat([gradient.flatten() for gradient in expected[2]])
    for one, other, size in [(found[0], expected[0], expected[0]), (found[1], expected[1], expected[1]),
                             *((a, b, parameters) for a, b in zip(found[2], expected[2], strict=True))]:
        largest = size.abs().max().item() if size.numel() else 0
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * largest)


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


def test_constant_map_shares_the_gradient_of_its_maxima_evenly():
    literal, fast = pair(6, torch.float64)
    x, dy = torch.ones(2, 6, 4, 5, dtype=torch.float64), torch.randn(2, 6, 4, 5, dtype=torch.float64)
    assert_agree(run(fast, x, dy), run(literal, x, dy), 1e-12)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_single_parameters_agree_with_double_precision(dtype):
    reference, _ = pair(16, torch.float64)
    x, dy = torch.randn(2, 16, 8, 8, dtype=torch.float64), torch.randn(2, 16, 8, 8, dtype=torch.float64)
    _, fast = pair(16, dtype)
    expected, found = run(reference, x, dy), run(fast, x.to(dtype), dy.to(dtype))
    for name, a, b in zip(dict(fast.named_parameters()), found[2], expected[2], strict=True):
        assert (a.double() - b).norm() <= (1e-12 if dtype is torch.float64 else 1e-5) * b.norm(), name


@pytest.mark.parametrize('layout', ['channels_last', 'sliced', 'expanded', 'expanded dy'])
def test_gradients_in_any_layout(layout):
    literal, fast = pair(8, torch.float64)
    x, dy = torch.randn(2, 8, 6, 4, dtype=torch.float64), torch.randn(2, 8, 6, 4, dtype=torch.float64)
    expected = run(literal, x, dy)
    if layout == 'channels_last':
        x = x.to(memory_format=torch.channels_last)
    elif layout == 'sliced':
        x = torch.cat([x, x], 3)[..., :4]
    elif layout == 'expanded':
        x = x[:1].expand(2, -1, -1, -1)
        expected = run(literal, x.contiguous(), dy)
    else:
        dy = torch.ones((), dtype=torch.float64).expand_as(x)
        expected = run(literal, x, dy.contiguous())
    found = run(fast, x, dy)
    assert_agree(found, expected, 1e-12)
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


def test_training_keeps_the_input_and_nothing_else():
    _, fast = pair(64)
    x = torch.randn(2, 64, 32, 32, requires_grad=True)
    kept = set()

    def pack(tensor):
        kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        fast(x)
    assert kept == {x.data_ptr(), *(parameter.data_ptr() for parameter in fast.parameters())}


@pytest.mark.parametrize('way', ['functional_call', 'checkpoint', 'kept elsewhere'])
def test_parameters_and_saved_tensors_may_be_others_in_backward(way):
    literal, fast = pair(8, torch.float64)
    random = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(2, 8, 5, 5, dtype=torch.float64, generator=random) for _ in range(2))
    expected = run(literal, x, dy)
    if way == 'functional_call':
        values = {name: parameter.detach().clone().requires_grad_() for name, parameter in fast.named_parameters()}
        with torch.no_grad():  # the module's own must not be looked at
            for parameter in fast.parameters():
                parameter.fill_(math.nan)
        leaf = x.clone().requires_grad_()
        y = torch.func.functional_call(fast, values, (leaf,))
        y.backward(dy)
        found = y.detach(), leaf.grad, [value.grad for value in values.values()]
    elif way == 'checkpoint':
        found = run(Wrapped(fast, lambda x: checkpoint(fast, x, use_reentrant=False)), x, dy)
    else:
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda tensor: tensor):
            found = run(fast, x, dy)
    assert_agree(found, expected, 1e-12)


def test_addition_in_place_on_the_output_as_a_bottleneck_does_it():
    literal, fast = pair(8, torch.float64)
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    gradients = []
    for module in (literal, fast):
        leaf = x.clone().requires_grad_()
        y = module(leaf * 2)
        y += leaf
        y.relu_().square().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=1e-12)


def test_backward_twice_on_a_kept_graph_gives_the_same():
    _, fast = pair(8, torch.float64)
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64, requires_grad=True)
    y = fast(x).square().sum()
    first = torch.autograd.grad(y, [x, *fast.parameters()], retain_graph=True)
    second = torch.autograd.grad(y, [x, *fast.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_second_derivative_is_refused_in_words_and_literal_has_it():
    literal, fast = pair(4, torch.float64)
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="no second derivative: use form='literal'"):
        torch.autograd.grad(fast(x).sum(), x, create_graph=True)
    gradient, = torch.autograd.grad(literal(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize('frozen', ['input', 'all parameters', 'biases'])
def test_what_is_frozen_gets_no_gradient_and_the_rest_its_own(frozen):
    literal, fast = pair(8, torch.float64)
    x, dy = torch.randn(2, 8, 5, 5, dtype=torch.float64), torch.randn(2, 8, 5, 5, dtype=torch.float64)
    _, d_x, d_parameters = run(literal, x, dy)
    names = [name for name, _ in fast.named_parameters()]
    for name, parameter in fast.named_parameters():
        parameter.requires_grad_(frozen == 'input' or (frozen == 'biases' and not name.endswith('bias')))
    leaf = x.clone().requires_grad_(frozen != 'input')
    fast(leaf).backward(dy)
    if frozen == 'input':
        assert leaf.grad is None
    else:
        torch.testing.assert_close(leaf.grad, d_x, rtol=1e-12, atol=1e-12)
    for name, parameter, expected in zip(names, fast.parameters(), d_parameters, strict=True):
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, expected, rtol=1e-12, atol=1e-10, msg=name)
        else:
            assert parameter.grad is None


def test_inference_and_training_give_the_same_bits():
    _, fast = pair(16)
    x = torch.randn(2, 16, 7, 5)
    trained = fast(x.requires_grad_())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(fast(x), trained)


def test_settings_of_onednn_are_left_as_they_were_without_a_warning(recwarn):
    _, fast = pair(8)
    before = torch.backends.mkldnn.set_flags()
    torch.backends.mkldnn.set_flags(*before)
    run(fast, torch.randn(1, 8, 3, 3), torch.ones(1, 8, 3, 3))
    after = torch.backends.mkldnn.set_flags()
    torch.backends.mkldnn.set_flags(*after)
    assert before == after
    assert not recwarn.list


def thin_resnet(**arguments):
    from mmdet.models.backbones import ResNet

    from dmsca_mm import plugin
    torch.manual_seed(0)
    backbone = ResNet(50, base_channels=8, stem_channels=8, norm_eval=False, frozen_stages=-1,
                      plugins=[plugin(stages=(True,) * 4, init='paper')], **arguments)
    for module in backbone.modules():
        if isinstance(module, DMSCA):
            torch.nn.init.normal_(module.aa.conv.weight, std=0.1)
    return backbone


def backbone_step(backbone, x):
    loss = sum(level.square().mean() for level in backbone(x))
    loss.backward()
    return [parameter.grad for parameter in getattr(backbone, '_orig_mod', backbone).parameters()]


@pytest.mark.parametrize('reentrant', [True, False])
def test_activation_checkpointing(reentrant):
    from torch.utils.checkpoint import checkpoint
    _, fast = pair(8, torch.float64)
    x, dy = torch.randn(2, 8, 5, 5, dtype=torch.float64), torch.randn(2, 8, 5, 5, dtype=torch.float64)
    expected = run(fast, x, dy)
    leaf = x.clone().requires_grad_()
    fast.zero_grad()
    checkpoint(lambda value: fast(value * 1.0), leaf, use_reentrant=reentrant).backward(dy)
    torch.testing.assert_close(leaf.grad, expected[1], rtol=1e-12, atol=1e-12)
    for parameter, gradient in zip(fast.parameters(), expected[2], strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-12)


def test_backbone_with_checkpointing_trains_like_one_without():
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    plain, saving = (backbone_step(thin_resnet(with_cp=with_cp).double(), x.clone().requires_grad_())
                     for with_cp in (False, True))
    for a, b in zip(plain, saving, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_distributed_data_parallel_gives_the_same_gradients(tmp_path):
    _, fast = pair(8, torch.float64)
    x, dy = torch.randn(2, 8, 5, 5, dtype=torch.float64), torch.randn(2, 8, 5, 5, dtype=torch.float64)
    expected = run(fast, x, dy)[2]
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/meet', rank=0, world_size=1)
    try:
        found = run(torch.nn.parallel.DistributedDataParallel(fast), x, dy)[2]
    finally:
        dist.destroy_process_group()
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_whole_backbone_compiles_into_one_graph_with_the_same_gradients():
    # aot_eager traces forward and backward as the default compiler does and leaves out minutes of code generation.
    # In double precision: a whole network amplifies fp32's rounding beyond any tolerance worth its name.
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = backbone_step(thin_resnet().double(), x)
    found = backbone_step(torch.compile(thin_resnet().double(), fullgraph=True, backend='aot_eager'), x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * b.abs().max().item())


def test_operator_compiles_to_machine_code():
    literal, fast = pair(8)
    x, dy = torch.randn(2, 8, 6, 5), torch.randn(2, 8, 6, 5)
    expected = run(literal, x, dy)
    assert_agree(run(torch.compile(fast, fullgraph=True), x, dy), expected, 1e-5)


@pytest.mark.parametrize('form', ['fast', 'literal'])
def test_wrong_input_is_refused_when_compiled_too(form):
    module = torch.compile(DMSCA(8, form=form), backend='eager')
    with pytest.raises(ValueError, match=r'\(N, 8, H, W\)'):
        module(torch.zeros(1, 5, 4, 4))


DYNAMIC = {0: 'batch', 2: 'height', 3: 'width'}


def test_export_with_dynamic_batch_height_and_width():
    _, fast = pair(8)
    shape = {dimension: torch.export.Dim(name, min=1, max=64) for dimension, name in DYNAMIC.items()}
    program = torch.export.export(fast.eval(), (torch.randn(2, 8, 6, 5),), dynamic_shapes=(shape,))
    for size in ((1, 8, 3, 4), (3, 8, 10, 7)):
        x = torch.randn(size)
        torch.testing.assert_close(program.module()(x), fast(x))


def test_onnx_runs_in_onnxruntime_with_dynamic_batch_height_and_width(tmp_path):
    import onnxruntime
    _, fast = pair(8)
    path = tmp_path / 'dmsca.onnx'
    torch.onnx.export(fast.eval(), (torch.randn(2, 8, 6, 5),), path, input_names=['x'], output_names=['y'],
                      dynamic_shapes=({dimension: torch.export.Dim(name) for dimension, name in DYNAMIC.items()},))
    session = onnxruntime.InferenceSession(path)
    for size in ((1, 8, 3, 4), (3, 8, 10, 7)):
        x = torch.randn(size)
        y, = session.run(None, {'x': x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), fast(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_bad_number_reaches_the_gradient(value):
    _, fast = pair(4)
    x = torch.randn(1, 4, 3, 3)
    x[0, 1, 1, 1] = value
    _, d_x, _ = run(fast, x, torch.ones_like(x))
    assert not d_x.isfinite().all()
