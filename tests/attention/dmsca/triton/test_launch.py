"""The passes against the formulas they stand for, in Triton's interpreter where there is no GPU."""
import pytest
import torch

from dmsca_mm.attention import passes

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def feature_map(shape, dtype=torch.float32, channels_last=False):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(DEVICE, dtype)
    return x.to(memory_format=torch.channels_last) if channels_last else x


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (2, 5, 3, 7), (1, 40, 9, 31), (3, 8, 16, 16)])
def test_first_look(shape, channels_last):
    x = feature_map(shape, channels_last=channels_last)
    v, w = torch.randn(2, shape[1], device=DEVICE)
    found = passes.look(x, v, w)
    top = x.amax((2, 3), keepdim=True)
    torch.testing.assert_close(found.pooled, x.mean((2, 3), keepdim=True) + top)
    assert torch.equal(found.top, top)
    torch.testing.assert_close(found.layers[:, :1], x.mean(1, keepdim=True))
    assert torch.equal(found.layers[:, 1:], x.amax(1, keepdim=True))
    torch.testing.assert_close(found.dots, torch.einsum('rc,nchw->nrhw', torch.stack([v, w]), x))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('held', [True, False])
def test_second_look_whether_a_strip_is_held_or_read_again(dtype, held, monkeypatch):
    monkeypatch.setattr(passes, 'HELD_CHANNELS', 64 if held else 0)
    x = feature_map((2, 37, 5, 9), dtype)
    channel, spatial = torch.rand(2, 37, 1, 1, device=DEVICE), torch.rand(2, 1, 5, 9, device=DEVICE)
    u, v, w = torch.randn(3, 37, device=DEVICE)
    b, b2 = torch.tensor([0.3], device=DEVICE), torch.tensor([-0.2], device=DEVICE)
    y = passes.apply(x, channel, spatial, passes.look(x, v, w).dots, u, w, b, b2, 2.0)
    wide = x.float()
    by_channel, by_pixel = wide * channel, wide * spatial
    gate = torch.sigmoid((torch.stack([u, v]).flatten()[:, None, None] * torch.cat([by_channel, by_pixel], 1)).sum(
        1, keepdim=True) + b)
    out = gate * by_channel + (1 - gate) * by_pixel
    expected = out * 2 * torch.sigmoid((w[:, None, None] * out).sum(1, keepdim=True) + b2)
    assert y.dtype == dtype
    torch.testing.assert_close(y, expected.to(dtype))


def test_strips_narrow_until_there_are_programs_enough():
    def plan(*shape):
        (strips, maps), _, blocks = passes._plan(torch.empty(shape, device='meta'))
        return strips, maps, blocks['BLOCK_P']

    assert plan(8, 256, 200, 336) == (263, 8, 256)
    assert plan(8, 2048, 25, 42) == (33, 8, 32)
    assert plan(1, 4, 1, 1) == (1, 1, 32)


@pytest.mark.parametrize(('size', 'group'), [((25, 42), 2), ((50, 84), 8), ((16, 16), 16), ((5, 5), 1)])
def test_compiler_is_told_how_far_rows_are_aligned(size, group):
    _, (channels, groups), blocks = passes._plan(torch.empty((1, 6, *size), device='meta'))
    assert (channels, groups * group, blocks['GROUP']) == (6, size[0] * size[1], group)
