"""The stages between the passes, also with more scales than slots."""
import torch
from stages import SMALL, Case, close

from dmsca_mm.attention.dmsca import gates, rearranged
from dmsca_mm.attention.dmsca.triton import gate_stages, map_stages


def test_forward_stages_in_a_row(device):
    case = Case((2, 5, 3, 4), device)
    x, _, parameters = case.double()
    exact = rearranged.attend(x, parameters, case.scale)[1]
    reduced = map_stages.reduce_forward(case.x, case.parameters)
    pooled, spatial_max, context = gate_stages.pools_means_fold(reduced, case.parameters)
    hidden, spatial = gate_stages.hidden_spatial(pooled, reduced.layers, context, case.parameters, case.scale)
    close(pooled, exact.pooled)
    close(spatial_max, exact.spatial_max)
    close(hidden, exact.hidden)
    close(spatial, gates.spatial_gate(exact.layers, parameters, case.scale).spatial[:, 0])


def test_further_scales_leave_the_means_alone(device):
    layers, few = torch.randn(2, 2, 4, 5, device=device), Case((1, 2, 1, 1), device, **SMALL).parameters
    many = Case((1, 2, 1, 1), device, kernel_sizes=(1, 3, 1, 1, 3), direction_kernel_size=3).parameters
    rows, columns, _ = gate_stages.means_fold(layers, few)
    rows_again, columns_again, _ = gate_stages.means_fold(layers, many)
    assert torch.equal(rows, rows_again)
    assert torch.equal(columns, columns_again)
