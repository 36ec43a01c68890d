"""The CPU kernels against the literal form in double precision, in every variant that runs here; their loading."""
import math
import os
import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from forms import assert_agree, pair, run
from hypothesis import given, settings
from hypothesis import strategies as st

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import cpu, op
from dmsca_mm.attention.dmsca.cpu import compile_kernels as build
from dmsca_mm.attention.dmsca.cpu import library

VARIANTS = list(build.VARIANTS)


@pytest.fixture(autouse=True)
def _natively(monkeypatch):
    """Fail on calls that the kernels do not cover, and fill new memory with NaN to expose reads of unwritten values."""
    torch.use_deterministic_algorithms(True)
    monkeypatch.delenv(op.SWITCH, raising=False)
    monkeypatch.setattr(op, '_warned', set())
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(params=VARIANTS)
def variant(request):
    loaded = library.load()
    before = loaded.dmsca_variant()
    if not loaded.dmsca_use_variant(request.param.encode()):
        pytest.skip(f'this processor has no {request.param}')
    yield request.param
    loaded.dmsca_use_variant(before)


def compare(shape, dtype=torch.float32, tolerance=1e-5, channels_last=False, ties=False, seed=0, **arguments):
    """Compare output and every gradient with the literal form in double precision."""
    literal, _ = pair(shape[1], torch.float64, **arguments)
    _, fast = pair(shape[1], **arguments)
    random = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(shape, generator=random).to(dtype) for _ in range(2))
    if ties:  # several maxima along channels and over pixels share one gradient
        x = x.round()
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    found, expected = run(fast, x, dy), run(literal, x.double(), dy.double())
    assert found[0].dtype == found[1].dtype == dtype
    assert found[0].stride() == found[1].stride() == x.stride()
    assert_agree(*[(y.double(), d_x.double(), [d.double() for d in d_parameters])
                   for y, d_x, d_parameters in (found, expected)], tolerance)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(n=st.integers(1, 3), c=st.integers(1, 70), h=st.integers(1, 20), w=st.integers(1, 40),
       init=st.sampled_from(['identity', 'paper']), ties=st.booleans(), channels_last=st.booleans(),
       kernel_sizes=st.sampled_from([(3, 5, 7), (1,), (5, 3), (11, 1)]), direction=st.sampled_from([1, 7]),
       threads=st.integers(1, 4), seed=st.integers(0, 99))
@pytest.mark.parametrize('name', VARIANTS)
def test_agrees_with_the_literal_form(name, n, c, h, w, init, ties, channels_last, kernel_sizes, direction, threads,
                                      seed):
    loaded = library.load()
    before, before_threads = loaded.dmsca_variant(), torch.get_num_threads()
    if not loaded.dmsca_use_variant(name.encode()):
        pytest.skip(f'this processor has no {name}')
    torch.set_num_threads(threads)
    try:
        compare((n, c, h, w), ties=ties, channels_last=channels_last, seed=seed, init=init, kernel_sizes=kernel_sizes,
                direction_kernel_size=direction)
    finally:
        torch.set_num_threads(before_threads)
        loaded.dmsca_use_variant(before)


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', [(2, 256, 33, 40), (1, 1024, 7, 9), (4, 64, 56, 56)])
def test_agrees_on_the_maps_of_a_network(shape, channels_last, variant):
    compare(shape, channels_last=channels_last)


@pytest.mark.parametrize('channels_last', [False, True])
def test_bfloat16_is_rounded_once(channels_last, variant):
    compare((2, 24, 6, 9), torch.bfloat16, 2 ** -7, channels_last)


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_identity_initialization_gives_the_input_bit_for_bit(dtype, channels_last, variant):
    module = DMSCA(40)
    torch.nn.init.normal_(module.dff.gate.weight, std=3)
    x = (1e3 * torch.randn(2, 40, 9, 13)).to(dtype)
    x = x.to(memory_format=torch.channels_last) if channels_last else x
    assert torch.equal(module(x), x)
    assert torch.equal(module(x.requires_grad_()), x), 'in training as well'


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('shape', [(3, 96, 19, 23), (1, 64, 40, 40), (5, 300, 7, 7)])
def test_the_same_bits_for_any_number_of_threads(shape, channels_last):
    _, fast = pair(shape[1])
    x, dy = torch.randn(shape), torch.randn(shape)
    x = x.to(memory_format=torch.channels_last) if channels_last else x
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 4):
            torch.set_num_threads(threads)
            found.append(run(fast, x, dy))
    finally:
        torch.set_num_threads(before)
    for y, d_x, d_parameters in found[1:]:
        assert torch.equal(y, found[0][0])
        assert torch.equal(d_x, found[0][1])
        assert all(torch.equal(a, b) for a, b in zip(d_parameters, found[0][2], strict=True))


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('pixel', [(0, 0), (4, 6), (2, 3)])
def test_non_finite_numbers_reach_maxima_and_gradients_as_in_pytorch(bad, pixel, channels_last, variant):
    literal, fast = pair(37)
    x = torch.randn(2, 37, 5, 7)
    x[1, 11, pixel[0], pixel[1]] = bad
    x[1, 30, pixel[0], pixel[1]] = -bad
    x = x.to(memory_format=torch.channels_last) if channels_last else x
    _, stats = cpu.attend(x, fast.operator_arguments(), 2.0)
    assert torch.equal(stats.spatial_max.nan_to_num(7e7), x.amax((2, 3)).nan_to_num(7e7))
    assert torch.equal(stats.layers[:, 1].nan_to_num(7e7), x.amax(1).nan_to_num(7e7))
    (y, d_x, d), (*_, d_literal) = run(fast, x, torch.ones_like(x)), run(literal, x, torch.ones_like(x))
    assert all(torch.equal(a.isfinite(), b.isfinite()) for a, b in zip(d, d_literal, strict=True))
    assert not y[1, 11, pixel[0], pixel[1]].isfinite()
    assert not d_x[1].isfinite().all()
    assert y[0].isfinite().all()
    assert d_x[0].isfinite().all()


def test_each_variant_gets_the_scratch_memory_that_it_asks_for(monkeypatch):
    loaded, (_, fast), allocated = library.load(), pair(20), []
    empty, before = torch.empty, loaded.dmsca_variant()

    def step():
        allocated.clear()
        fast(torch.ones(2, 20, 5, 5)).sum().backward()
        return tuple(allocated)

    # Allocate more, so that too small a size fails here and does not corrupt memory.
    monkeypatch.setattr(torch, 'empty', lambda size, **options: allocated.append(size) or empty(4 * size, **options))
    found = {}
    try:
        for name in filter(loaded.dmsca_use_variant, [name.encode() for name in VARIANTS]):
            library._scratch_floats.cache_clear()
            found[name] = step()
        for name, floats in found.items():
            loaded.dmsca_use_variant(name)
            assert step() == floats, name
    finally:
        loaded.dmsca_use_variant(before)


def test_constant_maps_share_the_gradient_of_their_maxima_evenly():
    literal, fast = pair(6, torch.float64)[0], pair(6)[1]
    x, dy = torch.ones(2, 6, 4, 5), torch.randn(2, 6, 4, 5)
    found, expected = run(fast, x, dy), run(literal, x.double(), dy.double())
    torch.testing.assert_close(found[1].double(), expected[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('log_temperature', [-50.0, 50.0])
def test_a_clamped_temperature_gets_no_gradient(log_temperature):
    _, fast = pair(8)
    torch.nn.init.constant_(fast.tca.log_temperature, log_temperature)
    fast(torch.randn(2, 8, 4, 4)).sum().backward()
    assert fast.tca.log_temperature.grad == 0


def test_parameters_in_bfloat16_keep_their_type():
    fast = pair(16)[1].bfloat16()
    x = torch.randn(2, 16, 6, 5).bfloat16()
    found = run(fast, x, torch.ones_like(x))
    expected = run(fast.float(), x, torch.ones_like(x))
    assert torch.equal(found[0], expected[0])
    assert all(torch.equal(a, b.bfloat16()) for a, b in zip(found[2], expected[2], strict=True))


@pytest.mark.parametrize(('x', 'convert', 'words'), [
    (torch.randn(1, 4, 3, 3).double(), lambda module: module.double(), 'X is torch.float64'),
    (torch.randn(1, 4, 3, 3).half(), lambda module: module, 'X is torch.float16'),
    (torch.randn(1, 4, 3, 3), lambda module: module.double(), 'the parameters are torch.float64')])
def test_types_that_are_not_covered_are_named(x, convert, words):
    assert words in cpu.not_covered(x, convert(DMSCA(4)).operator_arguments())


def test_mixed_types_get_pytorchs_own_error():
    module = DMSCA(4)
    module.gce.fc2.double()
    with pytest.warns(UserWarning, match='several types'), pytest.raises(RuntimeError, match='dtype'):
        module(torch.randn(1, 4, 3, 3))


SCRIPT = """
import sys, warnings
import torch
from dmsca_mm import DMSCA
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    module = DMSCA(8)
    for _ in range(3):
        x = torch.randn(1, 8, 4, 4, requires_grad=True)
        module(x).sum().backward()
    assert torch.equal(module(x), x)
for warning in caught:
    if 'DMSCA' in str(warning.message):
        print(warning.message)
"""


@pytest.fixture
def copied(repository, tmp_path):
    """Run the script with a copy of the package whose library ``change`` has altered; return its warnings."""
    shutil.copytree(repository / 'dmsca_mm', tmp_path / 'dmsca_mm')
    path = tmp_path / build.LIBRARY.relative_to(repository)

    def call(change, **environment):
        change(path)
        done = subprocess.run([sys.executable, '-c', SCRIPT], cwd=tmp_path, capture_output=True, text=True,
                              timeout=120, env={**os.environ, 'PYTHONPATH': str(tmp_path), **environment})
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    return call


def of_another_machine(path):
    content = bytearray(path.read_bytes())
    content[18] = 0xF3  # RISC-V
    path.write_bytes(content)


@pytest.mark.parametrize(('change', 'words'), [
    (lambda path: path.unlink(), 'is not built'),
    (lambda path: path.write_bytes(path.read_bytes()[:50000]), 'is truncated'),
    (lambda path: path.write_bytes(b''), 'is truncated'),
    (of_another_machine, 'does not load'),
    (lambda path: path.write_bytes(path.read_bytes().replace(build.sources_hash().encode(), b'0123456789abcdef')),
     'is of another version, built from sources 0123456789abcdef'),
    (lambda path: shutil.rmtree(path.with_name('src')), 'does not load ([Errno 2]')],
    ids=['missing', 'truncated', 'empty', 'machine', 'version', 'no sources'])
def test_a_library_that_does_not_serve_is_named_once_and_pytorch_goes_on(change, words, copied):
    found = copied(change)
    assert len(found) == 1
    assert words in found[0]
    assert f'run "{build.COMMAND}"' in found[0]
    assert 'slower with the same result' in found[0]


def test_files_that_are_no_sources_change_nothing(copied):
    def add(path):
        path.with_name('src').joinpath('.ipynb_checkpoints').mkdir()
        for name in ('.gates.h.swp', '.#gates.h', 'gates.h~', 'notes.txt'):
            path.with_name('src').joinpath(name).write_text('x')
    assert copied(add) == []


def test_the_switch_leaves_the_library_alone_silently(copied):
    assert copied(lambda path: path.unlink(), DMSCA_KERNELS='0') == []
