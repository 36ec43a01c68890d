"""The kernels over the map compile for data-centre GPUs, even if there is none; the interpreter compiles nothing."""
import pytest
from compiling import compiled, hardly_spills

NAMES = ['reduce_forward', 'apply', 'apply_backward', 'input_gradient']


def check(found, aligned):
    assert [entry['name'] for entry in found] == NAMES
    assert all(map(hardly_spills, found)), found
    if aligned:  # aligned rows are loaded sixteen bytes at a time
        assert all(entry['widest'] == 4 for entry in found)


@pytest.mark.slow
@pytest.mark.parametrize(('capability', 'dtype', 'channels_last', 'shape'), [
    (80, 'float16', False, (2, 256, 200, 336)), (90, 'bfloat16', True, (8, 2048, 25, 42)),
    (100, 'float32', False, (2, 64, 37, 53))])
def test_they_compile_and_hardly_spill(capability, dtype, channels_last, shape, tmp_path):
    check(compiled('map', tmp_path, capability=capability, dtype=dtype, parameter_dtype='float32',
                   channels_last=channels_last, shape=shape), aligned=channels_last or shape[3] % 16 == 0)


@pytest.mark.soak
@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16', 'float32'])
@pytest.mark.parametrize('capability', [80, 90, 100])
def test_they_compile_for_every_card_type_and_layout(capability, dtype, channels_last, tmp_path):
    for shape in ((2, 256, 200, 336), (8, 512, 100, 168), (8, 1024, 50, 84), (8, 2048, 25, 42)):
        check(compiled('map', tmp_path, capability=capability, dtype=dtype, parameter_dtype='bfloat16',
                       channels_last=channels_last, shape=shape), aligned=channels_last or shape[3] % 16 == 0)
