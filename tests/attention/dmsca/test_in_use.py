"""The fast form as modules are used in practice: copied, checkpointed, distributed, compiled."""
import copy
import io
import pickle
import warnings

import pytest
import torch
import torch.distributed as dist
from forms import assert_agree, pair, run, thin_resnet
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils.checkpoint import checkpoint

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import op


def backbone_step(backbone, x):
    loss = sum(level.square().mean() for level in backbone(x))
    loss.backward()
    return [parameter.grad for parameter in getattr(backbone, '_orig_mod', backbone).parameters()]


def saved_and_loaded(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)),
                                    saved_and_loaded], ids=['deepcopy', 'pickle', 'torch.save'])
def test_a_copy_has_the_same_step_and_parameters_of_its_own(copied, monkeypatch):
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', raising=False)  # an earlier tool in this process may set it
    literal, fast = pair(8)
    x, dy = torch.randn(2, 8, 5, 5), torch.randn(2, 8, 5, 5)
    fast(x).backward(dy)  # modules are often copied after use
    other = copied(fast)
    assert_agree(run(other, x, dy), run(literal, x, dy), 1e-5)
    torch.nn.init.zeros_(other.aa.conv.weight)
    assert fast.aa.conv.weight.any()


@pytest.mark.parametrize('init', ['identity', 'paper'])
def test_a_module_from_the_meta_device_starts_as_one_that_was_built_here(init):
    with torch.device('meta'):
        module = DMSCA(8, init=init, temperature=2.0)
    y = module(torch.empty(2, 8, 5, 5, device='meta', requires_grad=True))
    y.sum().backward()
    assert y.is_meta
    assert y.shape == (2, 8, 5, 5)
    module.zero_grad()
    module.to_empty(device='cpu')
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, torch.nan)  # to_empty leaves memory uninitialized
    torch.manual_seed(0)
    module.init_weights()
    here = DMSCA(8, init=init, temperature=2.0, form='literal')
    torch.manual_seed(0)
    here.init_weights()
    x, dy = torch.randn(2, 8, 5, 5), torch.randn(2, 8, 5, 5)
    assert_agree(run(module, x, dy), run(here, x, dy), 1e-5)


@pytest.mark.parametrize('reentrant', [True, False])
def test_activation_checkpointing(reentrant):
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


@pytest.mark.slow
def test_whole_backbone_compiles_into_one_graph_with_the_same_gradients():
    # aot_eager traces forward and backward like the default backend, without minutes of code generation.
    # Double precision, because a whole network amplifies fp32 rounding beyond any useful tolerance.
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = backbone_step(thin_resnet().double(), x)
    found = backbone_step(torch.compile(thin_resnet().double(), fullgraph=True, backend='aot_eager'), x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * b.abs().max().item())


@pytest.mark.slow
def test_compiled_backbone_keeps_the_native_operator_as_one_node_and_takes_other_sizes():
    torch._dynamo.reset()
    backbone, counter = thin_resnet(), CompileCounterWithBackend('aot_eager')
    compiled = torch.compile(backbone, fullgraph=True, backend=counter)
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='DMSCA runs without')
        for size in ((2, 3, 64, 64), (3, 3, 96, 128), (4, 3, 128, 96), (5, 3, 160, 64)):
            x = torch.randn(size)
            backbone_step(compiled, x)
    blocks = sum(isinstance(module, DMSCA) for module in backbone.modules())
    nodes = [node.target for node in counter.graphs[-1].graph.nodes if node.op == 'call_function']
    assert nodes.count(torch.ops.dmsca_mm.attend.default) == blocks == 16
    assert counter.frame_count == 2, 'the first size, then one for all'


@pytest.mark.skipif(' ' in torch.__file__, reason='inductor links no torch whose path has a space')
@pytest.mark.parametrize('kernels', ['0', '1'])
@pytest.mark.parametrize('dynamic', [None, True])
def test_operator_between_layers_compiles_to_machine_code(dynamic, kernels, monkeypatch):
    monkeypatch.setenv(op.SWITCH, kernels)
    torch._dynamo.reset()
    literal, fast = (torch.nn.Sequential(torch.nn.Conv2d(8, 8, 1), module, torch.nn.ReLU()) for module in pair(8))
    fast[0].load_state_dict(literal[0].state_dict())
    compiled = torch.compile(fast, fullgraph=True, dynamic=dynamic)
    for size in ((2, 8, 6, 5), (3, 8, 9, 12)):
        x, dy = torch.randn(size), torch.randn(size)
        assert_agree(run(compiled, x, dy), run(literal, x, dy), 1e-5)


@pytest.mark.parametrize('form', ['fast', 'literal'])
def test_wrong_input_is_refused_when_compiled_too(form):
    module = torch.compile(DMSCA(8, form=form), backend='eager')
    with pytest.raises(ValueError, match=r'\(N, 8, H, W\)'):
        module(torch.zeros(1, 5, 4, 4))
