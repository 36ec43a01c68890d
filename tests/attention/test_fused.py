"""The form for GPUs against the literal one, in Triton's interpreter where there is no GPU; and when it is not used."""
import warnings

import pytest
import torch
from forms import assert_agree, pair, run

from dmsca_mm import DMSCA
from dmsca_mm.attention import fused

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
needs_gpu = pytest.mark.skipif(DEVICE == 'cpu', reason='needs a CUDA GPU; there is none here')


# numpy's, of pixels beside the map, which are computed and not stored
pytestmark = pytest.mark.filterwarnings('ignore:.*encountered in:RuntimeWarning:triton')


@pytest.fixture
def used(monkeypatch):
    """Let the kernels take CPU tensors as well; gives the list of inputs that they took."""
    taken = []

    def wanted(x, dtype):
        if x.numel() and fused.not_covered(x, dtype) is None:
            taken.append(tuple(x.shape))
            return True
        return False

    monkeypatch.setattr(fused, 'wanted', wanted)
    return taken


def compare(shape, dtype=torch.float32, tolerance=1e-5, channels_last=False, ties=False, **arguments):
    """Output and gradients by kernels, against the literal form in double precision."""
    literal, _ = pair(shape[1], torch.float64, **arguments)
    _, fast = pair(shape[1], **arguments)
    literal, fast = literal.to(DEVICE), fast.to(DEVICE)
    random = torch.Generator().manual_seed(sum(shape))
    x, dy = (torch.randn(shape, generator=random).to(DEVICE, dtype) for _ in range(2))
    if ties:
        x = x.round()
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    found, expected = run(fast, x, dy), run(literal, x.double(), dy.double())
    assert found[0].dtype == found[1].dtype == dtype
    assert found[0].is_contiguous() == found[1].is_contiguous() == x.is_contiguous()
    assert_agree(*[(y.double(), d_x.double(), [d.double() for d in d_parameters])
                   for y, d_x, d_parameters in (found, expected)], tolerance)


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (2, 6, 3, 5), (1, 70, 9, 7), (2, 33, 8, 40)])
def test_agrees_with_the_literal_form(shape, channels_last, used):
    compare(shape, channels_last=channels_last)
    assert used == [shape]


@pytest.mark.parametrize('arguments', [dict(init='paper'), dict(ties=True), dict(kernel_sizes=(1, 5), reduction=4)])
def test_agrees_with_every_start_and_with_equal_maxima(arguments, used):
    compare((2, 12, 6, 7), **arguments)
    assert used


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.bfloat16, 2 ** -8), (torch.float16, 2 ** -11)])
def test_keeps_the_input_type_and_sums_in_single_precision(dtype, tolerance, used):
    compare((2, 24, 6, 9), dtype, 2 * tolerance)
    assert used


def test_wide_maps_are_read_again_instead_of_held(used, monkeypatch):
    from dmsca_mm.attention import passes
    monkeypatch.setattr(passes, 'HELD_CHANNELS', 0)
    compare((2, 40, 5, 7))
    assert used


def test_identity_start_gives_the_input_bit_for_bit(used):
    for dtype in (torch.float32, torch.bfloat16):
        x = 1e3 * torch.randn(2, 16, 5, 6, device=DEVICE).to(dtype)
        assert torch.equal(DMSCA(16).to(DEVICE)(x), x)
    assert len(used) == 2


def test_same_input_gives_the_same_bits(used):
    fast = pair(20)[1].to(DEVICE)
    x, dy = torch.randn(2, 20, 9, 8, device=DEVICE), torch.randn(2, 20, 9, 8, device=DEVICE)
    first, second = run(fast, x, dy), run(fast, x, dy)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert all(torch.equal(a, b) for a, b in zip(first[2], second[2], strict=True))


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), float('-inf')])
def test_bad_numbers_come_out_as_bad_numbers(bad, used):
    fast = pair(6)[1].to(DEVICE)
    x = torch.randn(2, 6, 4, 5, device=DEVICE)
    x[0, 2, 1, 3] = bad
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # numpy's, in the interpreter
        y = fast(x)
    assert not y[0].isfinite().all()
    assert y[1].isfinite().all()


@pytest.mark.parametrize('frozen', ['input', 'all parameters', 'the gate'])
def test_what_is_frozen_gets_no_gradient(frozen, used):
    fast = pair(6)[1].to(DEVICE)
    x = torch.randn(2, 6, 4, 5, device=DEVICE, requires_grad=frozen != 'input')
    for name, parameter in fast.named_parameters():
        parameter.requires_grad_(frozen == 'input' or (frozen == 'the gate' and 'dff' not in name))
    fast(x).sum().backward()
    assert used
    assert (x.grad is None) == (frozen == 'input')
    assert all((parameter.grad is None) != parameter.requires_grad for parameter in fast.parameters())


def test_inference_without_gradients_is_the_same(used):
    fast = pair(6)[1].to(DEVICE)
    x = torch.randn(2, 6, 4, 5, device=DEVICE)
    with torch.inference_mode():
        y = fast(x)
    assert torch.equal(y, fast(x.clone().requires_grad_()).detach())


def test_parameters_of_another_type_and_second_derivatives(used):
    fast = DMSCA(8).to(DEVICE, torch.bfloat16)
    x = torch.randn(1, 8, 3, 3, device=DEVICE, dtype=torch.bfloat16, requires_grad=True)
    fast(x).sum().backward()
    assert all(parameter.grad.dtype is torch.bfloat16 for parameter in fast.parameters())
    with pytest.raises(RuntimeError, match="no second derivative: use form='literal'"):
        torch.autograd.grad(fast(x).sum(), x, create_graph=True)
    assert used


def test_autocast_leaves_the_small_tensors_in_single_precision(used):
    fast = pair(16)[1].to(DEVICE)
    x, dy = (torch.randn(2, 16, 8, 8, device=DEVICE) for _ in range(2))
    expected = run(fast, x, dy)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        found = run(fast, x, dy)
    assert_agree(found, expected, 1e-6)


def test_uncovered_inputs_are_named():
    assert fused.not_covered(torch.empty(1, 2, 3, 3), torch.float32) is None
    assert fused.not_covered(torch.empty(1, 2, 3, 3).double(), torch.float32).startswith('X is torch.float64, the')
    assert fused.not_covered(torch.empty(1, 2, 3, 3), torch.float64).startswith('the parameters are torch.float64')
    meta = torch.empty(70000, 1, 1, 1, device='meta')
    assert '70000 maps' in fused.not_covered(meta, torch.float32)
    meta = torch.empty(1, 2048, 1024, 1024, device='meta')
    assert f'{2 ** 31} elements' in fused.not_covered(meta, torch.float32)


class OnGpu(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    @property
    def is_cuda(self):
        return True


def test_falls_back_once_and_audibly(monkeypatch):
    monkeypatch.setattr(fused, '_told', set())
    monkeypatch.setattr(fused, '_too_old', lambda device: None)
    x = torch.randn(1, 4, 3, 3).double().as_subclass(OnGpu)
    with pytest.warns(UserWarning, match='without its GPU kernels, slower with the same result: X is torch.float64'):
        assert not fused.wanted(x, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert not fused.wanted(x, torch.float32)
        assert fused.wanted(x.float(), torch.float32)
        monkeypatch.setenv('DMSCA_KERNELS', '0')
        assert not fused.wanted(x.float(), torch.float32)


@pytest.mark.parametrize(('found', 'says'), [('2.3.1', 'Triton 2.3.1 is older than 3.2'), (None, 'pip install triton')])
def test_old_or_missing_triton_is_named(found, says, monkeypatch):
    def version(name):
        if found is None:
            raise fused.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(fused, 'version', version)
    fused._no_triton.cache_clear()
    assert says in fused._no_triton()
    fused._no_triton.cache_clear()


def test_old_card_is_named(monkeypatch):
    monkeypatch.setattr(torch.version, 'cuda', '12.8')
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (7, 0))
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'Some V100')
    fused._too_old.cache_clear()
    assert fused._too_old(torch.device('cuda', 0)) == 'Some V100 has compute capability 7.0, Triton needs 8.0'
    fused._too_old.cache_clear()


def test_constructor_turns_the_kernels_off(used):
    x = torch.randn(1, 4, 3, 3, device=DEVICE)
    DMSCA(4, kernels=False).to(DEVICE)(x)
    assert not used
    DMSCA(4).to(DEVICE)(x)
    assert used
    with pytest.raises(TypeError, match="kernels must be True or False, got 'no' of type str"):
        DMSCA(4, kernels='no')


def test_cpu_tensors_do_not_ask_for_kernels():
    assert not fused.wanted(torch.randn(1, 4, 3, 3), torch.float32)


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
            dict(cfg=dict(type='DMSCA'), stages=(True,) * 4, position='after_conv3')])).cuda()
    x = torch.randn(2, 3, 64, 64, device='cuda')
    expected = backbone(x)
    found = torch.compile(backbone, fullgraph=True)(x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
