"""The fast form in every way in which people run a module: checkpointed, distributed, compiled, exported."""
import warnings

import pytest
import torch
import torch.distributed as dist
from forms import assert_agree, pair, run
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils.checkpoint import checkpoint

from dmsca_mm import DMSCA


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
