"""The kernels between the passes compile for data-centre GPUs, even if there is none."""
import pytest
from compiling import compiled, hardly_spills

NAMES = ['pools_means_fold', 'hidden_spatial', 'channel_gate', 'pools_means_fold', 'hidden_spatial', 'gates_backward',
         'parameters_layers_backward', 'pooled_fc1_backward']


def check(found):
    assert [entry['name'] for entry in found] == NAMES
    assert all(map(hardly_spills, found)), found


@pytest.mark.slow
@pytest.mark.parametrize(('capability', 'parameter_dtype', 'channels_last'), [
    (80, 'float32', False), (90, 'bfloat16', True), (100, 'float16', False)])
def test_they_compile_and_hardly_spill(capability, parameter_dtype, channels_last, tmp_path):
    check(compiled('gate', tmp_path, capability=capability, dtype='bfloat16', parameter_dtype=parameter_dtype,
                   channels_last=channels_last, shape=(2, 256, 200, 336)))


@pytest.mark.soak
@pytest.mark.parametrize('module', [{}, dict(kernel_sizes=(1,), direction_kernel_size=1, reduction=1),
                                    dict(kernel_sizes=(31,), direction_kernel_size=31)])
@pytest.mark.parametrize('capability', [80, 90, 100])
def test_they_compile_for_every_card_stage_and_kernel_size(capability, module, tmp_path):
    for shape in ((2, 256, 200, 336), (8, 512, 100, 168), (8, 1024, 50, 84), (8, 2048, 25, 42)):
        check(compiled('gate', tmp_path, capability=capability, dtype='bfloat16', parameter_dtype='float32',
                       shape=shape, module=module))
