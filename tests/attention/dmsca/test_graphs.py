"""The default form in recorded graphs: FX and its quantisation, TorchScript, ONNX, torch.export."""
import io
import warnings

import onnxruntime
import pytest
import torch
from forms import assert_agree, pair, run, thin_resnet
from torch import fx, nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.fx.custom_config import PrepareCustomConfig
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from dmsca_mm import DMSCA

DYNAMIC = {0: 'batch', 2: 'height', 3: 'width'}
SIZES = ((1, 8, 3, 4), (3, 8, 10, 7))


def test_fx_traces_a_backbone_that_takes_other_sizes_and_trains():
    backbone = thin_resnet().double()
    traced = fx.symbolic_trace(backbone)
    operators = [node.target for node in traced.graph.nodes if node.op == 'call_function']
    assert operators.count(torch.ops.dmsca_mm.attend.default) == 16
    for module in backbone.modules():
        if isinstance(module, DMSCA):
            module.form = 'literal'
    for size in ((2, 3, 64, 64), (1, 3, 96, 64)):
        x, steps = torch.randn(size, dtype=torch.float64), []
        for model in (traced, backbone):  # they share their parameters
            backbone.zero_grad()
            levels = model(x)
            sum(level.square().mean() for level in levels).backward()
            steps.append([*levels, *(parameter.grad for parameter in backbone.parameters())])
        for a, b in zip(*steps, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * b.abs().max().item())


def test_fx_traces_children_with_hooks_as_calls_of_them():
    literal, fast = pair(8, torch.float64)
    for module in (literal, fast):
        module.dff.gate.register_forward_hook(lambda child, inputs, output: output * 0.5)
    x, dy = torch.randn(2, 8, 5, 4, dtype=torch.float64), torch.randn(2, 8, 5, 4, dtype=torch.float64)
    traced = fx.symbolic_trace(fast)
    assert 'dff.gate' in {node.target for node in traced.graph.nodes if node.op == 'call_module'}
    torch.testing.assert_close(traced(x), literal(x))
    assert_agree(run(fast, x, dy), run(literal, x, dy), 1e-12)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_fx_quantisation_leaves_it_in_floating_point_traced_or_as_a_leaf():
    literal, fast = pair(8)
    stem, x, found = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), torch.randn(4, 3, 12, 12), []
    for attention, leaf in ((literal, True), (fast, True), (fast, False)):
        custom = PrepareCustomConfig().set_non_traceable_module_classes([DMSCA] if leaf else [])
        network = nn.Sequential(stem, attention).eval()
        network = prepare_fx(network, get_default_qconfig_mapping(), (x,), prepare_custom_config=custom)
        network(x)
        network = convert_fx(network)
        assert type(network.get_submodule('0.0')).__module__.startswith('torch.ao.nn')
        found.append(network(x))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[2], found[0], rtol=1e-5, atol=1e-5)


def test_torch_jit_trace_keeps_values_at_other_sizes_also_saved_and_frozen():
    literal, fast = pair(8)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # TorchScript is deprecated, and kernel sizes become constants
        traced, file = torch.jit.trace(fast.eval(), torch.randn(2, 8, 6, 5)), io.BytesIO()
        torch.jit.save(traced, file)
        file.seek(0)
        forms = traced, torch.jit.load(file), torch.jit.freeze(traced)
    for size in SIZES:
        x = torch.randn(size)
        for form in forms:
            torch.testing.assert_close(form(x), literal(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('wrap', [lambda module: module, lambda module: nn.Sequential(nn.ReLU(), module)])
def test_torch_jit_script_is_refused_in_one_line_that_names_the_ways_out(wrap):
    with pytest.raises(RuntimeError, match=r'^torch\.jit\.script cannot compile DMSCA: use torch.jit.trace, .*$'):
        torch.jit.script(wrap(DMSCA(8)))


def assert_onnx_agrees(path, literal):
    session = onnxruntime.InferenceSession(path)
    for size in SIZES:
        x = torch.randn(size)
        y, = session.run(None, {'x': x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), literal(x), rtol=1e-4, atol=1e-5)


def test_onnx_runs_in_onnxruntime_with_dynamic_batch_height_and_width(tmp_path):
    literal, fast = pair(8)
    path = tmp_path / 'dmsca.onnx'
    torch.onnx.export(fast.eval(), (torch.randn(2, 8, 6, 5),), path, input_names=['x'], output_names=['y'],
                      dynamic_shapes=({dimension: torch.export.Dim(name) for dimension, name in DYNAMIC.items()},))
    assert_onnx_agrees(path, literal)


@pytest.mark.parametrize('opset', [11, 17])  # 11: used by OpenMMLab's deployment configs
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_legacy_onnx_runs_in_onnxruntime_with_dynamic_batch_height_and_width(opset, tmp_path):
    literal, fast = pair(8)
    path = tmp_path / 'dmsca.onnx'
    torch.onnx.export(fast.eval(), (torch.randn(2, 8, 6, 5),), path, dynamo=False, opset_version=opset,
                      input_names=['x'], output_names=['y'], dynamic_axes=dict(x=DYNAMIC, y=DYNAMIC))
    assert_onnx_agrees(path, literal)


def test_export_with_dynamic_batch_height_and_width():
    literal, fast = pair(8)
    shape = {dimension: torch.export.Dim(name, min=1, max=64) for dimension, name in DYNAMIC.items()}
    program = torch.export.export(fast.eval(), (torch.randn(2, 8, 6, 5),), dynamic_shapes=(shape,))
    for size in SIZES:
        x = torch.randn(size)
        torch.testing.assert_close(program.module()(x), literal(x), rtol=1e-5, atol=1e-5)
