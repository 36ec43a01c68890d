"""The spatial branch against the rearranged form in double precision."""
import pytest
import torch
from stages import SMALL, Case, close

from dmsca_mm.attention.dmsca import gates
from dmsca_mm.attention.dmsca.triton import gate_stages
from dmsca_mm.attention.dmsca.triton.map_stages import MapGradients

CASES = [((1, 1, 1, 1), SMALL), ((2, 3, 3, 70), SMALL), ((1, 2, 70, 3), SMALL),
         ((2, 4, 9, 10), dict(kernel_sizes=(5, 1, 5), direction_kernel_size=5)),
         ((1, 2, 3, 4), dict(kernel_sizes=(1, 3, 1, 1, 3), direction_kernel_size=1))]
"""Rows and columns longer than a tile, kernels larger than the map, a repeated size, more scales than slots."""


@pytest.mark.parametrize(('shape', 'arguments'), CASES)
def test_forward(shape, arguments, device):
    case = Case(shape, device, **arguments)
    exact, stats = case.stats()
    gate = gates.spatial_gate(exact.layers, case.double()[2], case.scale)
    context = gate_stages.means_fold(stats.layers, case.parameters)
    close(context.row_means, exact.layers.mean(3))
    close(context.column_means, exact.layers.mean(2))
    close(context.folded[:-1], gate.kernel.flatten())
    close(gate_stages.spatial_gate(stats, context, case.parameters, case.scale), gate.spatial[:, 0])


def backward(case, stats, d_spatial, spatial):
    """Return the gradients of D; write those of the parameters to ``case.gradients``."""
    n, c = stats.channel.shape
    maps = torch.zeros(n, 8, *case.x.shape[2:], device=case.x.device)
    maps[:, 6:7] = d_spatial * spatial * (1 - spatial / case.scale)
    by_map = MapGradients(maps, torch.zeros(n, 1, 5, c, device=case.x.device),
                          torch.zeros(n, 1, 2, device=case.x.device))
    context = gate_stages.means_fold(stats.layers, case.parameters)
    by_gate = gate_stages.gates_backward(by_map, stats, context, case.parameters, case.gradients, case.scale)
    return gate_stages.parameters_layers_backward(maps, by_gate, stats, context, case.parameters, case.gradients)[1]


@pytest.mark.parametrize(('shape', 'arguments'), CASES)
def test_backward(shape, arguments, device):
    case = Case(shape, device, **arguments)
    exact, stats = case.stats()
    parameters = case.double()[2]
    gate = gates.spatial_gate(exact.layers, parameters, case.scale)
    d_spatial = torch.randn_like(gate.spatial)
    expected, gradients = gates.spatial_gate_backward(d_spatial, exact.layers, gate, parameters, case.scale)
    close(backward(case, stats, d_spatial, gate.spatial), expected)
    for name, gradient in gradients.items():
        found = getattr(case.gradients, name)
        for one, other in zip(found, gradient, strict=True) if isinstance(found, list) else [(found, gradient)]:
            close(one, other)


def test_parameters_may_be_channels_last(device):
    case = Case((2, 3, 4, 5), device)
    _, stats = case.stats()
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        case.parameters, case.gradients = (tensors.nest([
            tensor.contiguous(memory_format=memory_format) if tensor.dim() == 4 else tensor
            for tensor in tensors.flat()]) for tensors in (case.parameters, case.gradients))
        context = gate_stages.means_fold(stats.layers, case.parameters)
        spatial = gate_stages.spatial_gate(stats, context, case.parameters, case.scale)
        d_layers = backward(case, stats, torch.ones_like(spatial)[:, None], spatial[:, None])
        weights = [*case.gradients.msce_convs_weight, case.gradients.dii_conv_h_weight,
                   case.gradients.dii_conv_w_weight]
        assert all(weight.is_contiguous(memory_format=memory_format) for weight in weights)
        results.append([spatial, d_layers, *weights])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
