"""The passes over the map against the rearranged form in double precision."""
import pytest
import torch
from stages import Case, close

from dmsca_mm.attention.dmsca import gates, rearranged
from dmsca_mm.attention.dmsca.triton import map_stages, plan

SHAPES = [(1, 1, 1, 1), (2, 5, 3, 7), (1, 40, 9, 31)]


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', SHAPES)
def test_reduce_forward(shape, channels_last, device):
    case = Case(shape, device, channels_last=channels_last)
    x, _, parameters = case.double()
    reduced = map_stages.reduce_forward(case.x, case.parameters)
    close(reduced.sums.sum(1), x.sum((2, 3)))
    assert torch.equal(reduced.maxima.amax(1), case.x.amax((2, 3)))
    close(reduced.layers[:, 0], x.mean(1))
    assert torch.equal(reduced.layers[:, 1], case.x.amax(1))
    _, v, w = rearranged.weight_rows(parameters)
    close(reduced.dots, torch.einsum('rc,nchw->nrhw', torch.stack([v, w]), x))


def forward(case):
    """Return A_s and the blend of the rearranged form, and the two dot products that ``apply`` takes."""
    x, _, parameters = case.double()
    exact, stats = case.stats()
    spatial = gates.spatial_gate(exact.layers, parameters, case.scale).spatial
    blend = rearranged.apply(x, exact.channel, spatial, parameters, case.scale)
    return exact, stats, spatial, blend, torch.cat([blend.d_v, blend.d_w], 1).float()


@pytest.mark.parametrize('held', [True, False])
@pytest.mark.parametrize(('dtype', 'channels_last'), [
    (torch.float32, False), (torch.bfloat16, True), (torch.float16, False)])
def test_apply_whether_a_strip_is_held_or_read_again(dtype, channels_last, held, device, monkeypatch):
    monkeypatch.setattr(plan, 'HELD_CHANNELS', 64 if held else 0)
    case = Case((2, 37, 5, 9), device, dtype, channels_last)
    exact, stats, spatial, blend, dots = forward(case)
    y = map_stages.apply(case.x, stats.channel, spatial.float(), dots, case.parameters, case.scale)
    factor = blend.by_channel * exact.channel[:, :, None, None] + blend.by_pixel
    assert y.dtype == dtype
    assert y.stride() == case.x.stride()
    close(y, case.x.double() * factor, max(1e-5, torch.finfo(dtype).eps))


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', SHAPES)
def test_apply_backward(shape, channels_last, ties, device):
    case = Case(shape, device, channels_last=channels_last, ties=ties)
    x, dy, parameters = case.double()
    exact, stats, spatial, blend, _ = forward(case)
    back = rearranged.apply_backward(dy, x, exact.channel, spatial, blend, parameters, case.scale)
    maps, sums, bias_sums = map_stages.apply_backward(case.dy, case.x, stats, spatial.float(), case.parameters,
                                                      case.scale)
    close(maps[:, :2], torch.cat([blend.by_channel, blend.by_pixel], 1))
    close(maps[:, 2:6], back.rows)
    close(maps[:, 6:7], back.spatial * spatial * (1 - spatial / case.scale))
    assert torch.equal(maps[:, 7], (case.x == case.x.amax(1, keepdim=True)).sum(1).float())
    d_channel, d_u, d_v, d_w, equals = sums.double().sum(1).unbind(1)
    close(d_channel, back.channel)
    close(torch.cat([(exact.channel * d_u).sum(0), d_v.sum(0)]), back.dff_gate_weight.flatten())
    close(d_w.sum(0), back.aa_conv_weight.flatten())
    assert torch.equal(equals, (x == x.amax((2, 3), keepdim=True)).sum((2, 3)).double())
    close(bias_sums.sum((0, 1)), torch.cat([back.dff_gate_bias, back.aa_conv_bias]))


@pytest.mark.parametrize(('channels_last', 'ties'), [(False, True), (True, False)])
def test_input_gradient(channels_last, ties, device):
    case = Case((2, 11, 5, 7), device, channels_last=channels_last, ties=ties)
    x, dy, parameters = case.double()
    exact, stats, spatial, blend, _ = forward(case)
    back = rearranged.apply_backward(dy, x, exact.channel, spatial, blend, parameters, case.scale)
    d_pooled, d_layers = torch.randn_like(exact.pooled), torch.randn_like(exact.layers)
    expected = rearranged.input_gradient(dy, x, exact, blend, back, d_pooled, d_layers, parameters)
    maps = torch.cat([blend.by_channel, blend.by_pixel, back.rows, back.spatial,
                      (x == x.amax(1, keepdim=True)).sum(1, keepdim=True)], 1).float()
    equals = (x == x.amax((2, 3), keepdim=True)).sum((2, 3)).float()
    dx = map_stages.input_gradient(case.dy, case.x, stats, maps, equals, d_pooled.float(), d_layers.float(),
                                   case.parameters)
    assert dx.stride() == case.x.stride()
    close(dx, expected)
