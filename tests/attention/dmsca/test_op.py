"""The operator as PyTorch sees it: schema, derivative, a single node for compilers, and dispatch."""
import warnings

import pytest
import torch
from forms import assert_agree, pair, run
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils._python_dispatch import TorchDispatchMode

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import cpu, op, rearranged


def inputs(form='contiguous', dtype=torch.float32, **arguments):
    """X, dY and the arguments of both operators."""
    module = pair(8, **arguments)[1]
    x, dy = torch.randn(2, 8, 5, 6, dtype=dtype), torch.randn(2, 8, 5, 6, dtype=dtype)
    if form == 'channels_last':
        x, dy, module = (value.to(memory_format=torch.channels_last) for value in (x, dy, module))
    if form == 'permuted':
        x = torch.randn(2, 6, 8, 5, dtype=dtype).permute(0, 2, 3, 1)
    if form == 'empty':
        x, dy = x[:0], dy[:0]
    return x, dy, module.operator_arguments(), module.scale


@pytest.mark.parametrize('kernels', ['0', '1'])
@pytest.mark.parametrize(('form', 'dtype', 'kernel_sizes'), [
    ('contiguous', torch.float32, (3, 5, 7)), ('channels_last', torch.float32, (1,)),
    ('contiguous', torch.bfloat16, (1,)), ('channels_last', torch.bfloat16, (3, 5, 7)),
    ('permuted', torch.float32, (3,)), ('empty', torch.float32, (3,))])
def test_both_operators_pass_pytorchs_own_checks(form, dtype, kernel_sizes, kernels, monkeypatch):
    """Among them: shapes, strides and types match those that compilers get in advance."""
    monkeypatch.setenv(op.SWITCH, kernels)
    x, dy, parameters, scale = inputs(form, dtype, kernel_sizes=kernel_sizes)
    torch.library.opcheck(torch.ops.dmsca_mm.attend.default, (x.requires_grad_(), *parameters, scale))
    with torch.no_grad():
        _, *stats = torch.ops.dmsca_mm.attend(x, *parameters, scale)
    parameters = parameters.nest([tensor.detach() for tensor in parameters.flat()])
    torch.library.opcheck(torch.ops.dmsca_mm.attend_backward.default,
                          (dy, x.detach(), *stats, *parameters, scale))


class Seen(TorchDispatchMode):
    """Records the operators that run."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.names.append(function._schema.name)
        return function(*arguments, **keywords or {})


def test_a_training_step_is_one_operator_forward_and_one_backward():
    module, x = pair(8)[1], torch.randn(2, 8, 5, 5, requires_grad=True)
    with Seen() as seen:
        y = module(x)
    assert [name for name in seen.names if name != 'aten::detach'] == ['dmsca_mm::attend']
    dy = torch.ones_like(y)
    with Seen() as seen:
        torch.autograd.grad(y, [x, *module.parameters()], dy)
    assert [name for name in seen.names if name != 'aten::detach'] == ['dmsca_mm::attend_backward']


def test_compiled_it_stays_one_node_and_is_not_compiled_again_for_other_sizes():
    module = pair(8)[1]
    torch._dynamo.reset()
    counter = CompileCounterWithBackend('aot_eager')
    compiled = torch.compile(module, fullgraph=True, backend=counter)
    for size in ((2, 8, 6, 5), (3, 8, 7, 9), (5, 8, 11, 4), (4, 8, 12, 12)):
        x, dy = torch.randn(size), torch.randn(size)
        assert_agree(run(compiled, x, dy), run(module, x, dy), 1e-6)
    assert counter.frame_count == 2, 'the first size, then one for all'
    calls = [node.target for node in counter.graphs[-1].graph.nodes if node.op == 'call_function']
    assert [call for call in calls if 'attend' in str(call)] == [torch.ops.dmsca_mm.attend.default]


def test_an_exported_graph_does_not_need_this_package():
    program = torch.export.export(pair(8)[1].eval(), (torch.randn(2, 8, 6, 5),))
    names = {str(node.target) for node in program.graph.nodes if node.op == 'call_function'}
    assert names
    assert not any('dmsca' in name for name in names)


def test_the_switch_leaves_the_kernels_unused_silently(monkeypatch):
    monkeypatch.setattr(cpu, 'attend', None)
    monkeypatch.setenv(op.SWITCH, '0')
    x, _, parameters, scale = inputs()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = op.attend(x, parameters, scale)
    assert torch.equal(found, rearranged.attend(x, parameters, scale)[0])


def test_what_the_kernels_do_not_cover_is_computed_anyway_and_named_once(monkeypatch):
    monkeypatch.setattr(op, '_warned', set())
    monkeypatch.delenv(op.SWITCH, raising=False)
    literal, fast = pair(4, torch.float64)
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    with pytest.warns(UserWarning, match='without its native CPU kernels, slower with the same result: X is torch.fl'):
        found = fast(x)
    torch.testing.assert_close(found, literal(x), rtol=1e-12, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fast(x)


@pytest.mark.parametrize('part', ['gce.fc1', 'gce.fc2', 'msce.fuse', 'dii.conv_h', 'dff.gate', 'aa.conv'])
def test_parameters_of_a_wrong_size_get_pytorchs_own_error_not_a_read_beyond_them(part):
    module = DMSCA(16)
    layer = module.get_submodule(part)
    layer.weight = torch.nn.Parameter(layer.weight.detach()[:, :1].clone())
    with pytest.raises((RuntimeError, ValueError)):
        module(torch.randn(2, 16, 5, 5, requires_grad=True))


def test_a_gradient_of_another_type_is_converted():
    x, dy, parameters, scale = inputs()
    with torch.no_grad():
        _, *stats = torch.ops.dmsca_mm.attend(x, *parameters, scale)
        found = torch.ops.dmsca_mm.attend_backward(dy.double(), x, *stats, *parameters, scale)[0]
        assert torch.equal(found, torch.ops.dmsca_mm.attend_backward(dy, x, *stats, *parameters, scale)[0])


def test_a_second_derivative_is_refused_at_the_operator_too():
    x, dy, parameters, scale = inputs()
    with torch.no_grad():
        _, *stats = torch.ops.dmsca_mm.attend(x, *parameters, scale)
    dx, *_ = torch.ops.dmsca_mm.attend_backward(dy.requires_grad_(), x, *stats, *parameters, scale)
    with pytest.raises(RuntimeError, match="no second derivative: use form='literal'"):
        dx.sum().backward()
