"""Arguments that the kernels do not cover are named, even without Triton."""
import subprocess
import sys
from importlib import metadata

import pytest
import torch
from triton import runtime

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca.triton import availability, not_covered


def reason(shape=(1, 4, 3, 3), dtype=torch.float32, change=None, module=None, device='cpu'):
    """Return the reason for a module with 4 channels and X of this shape; ``change`` alters the parameters."""
    parameters = (module or DMSCA(4)).to(device).operator_arguments()
    return not_covered(torch.empty(shape, dtype=dtype, device=device), change(parameters) if change else parameters)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_usual_calls_are_covered(dtype):
    assert reason(dtype=dtype) is None
    assert reason(dtype=dtype, module=DMSCA(4).to(dtype)) is None
    assert reason(dtype=dtype, module=DMSCA(4).to(memory_format=torch.channels_last)) is None


def test_types_are_named():
    assert reason(dtype=torch.float64).startswith('X is torch.float64, the kernels take torch.float32')
    assert reason(module=DMSCA(4).double()).startswith('the parameters are torch.float64')
    mixed = reason(change=lambda parameters: parameters._replace(aa_conv_bias=parameters.aa_conv_bias.half()))
    assert mixed == 'the parameters are of several types: torch.float16, torch.float32'


def test_a_parameter_elsewhere_is_named():
    found = reason(change=lambda parameters: parameters._replace(aa_conv_bias=parameters.aa_conv_bias.to('meta')))
    assert found == 'a parameter is not on cpu, where X is'


@pytest.mark.parametrize('change', [
    lambda parameters: parameters._replace(dii_conv_h_weight=parameters.dii_conv_h_weight.transpose(1, 2).contiguous()
                                           .transpose(1, 2)),
    lambda parameters: parameters._replace(gce_fc1_weight=parameters.gce_fc1_weight.repeat(1, 2, 1, 1)[:, ::2])])
def test_other_layouts_are_named(change):
    assert reason(change=change) == 'the parameters are neither all contiguous nor all channels_last'


@pytest.mark.parametrize(('shape', 'words'), [
    ((70000, 1, 1, 1), '70000 maps'), ((1, 2048, 1024, 1024), f'{2 ** 31} elements'),
    ((1, 1, 16384, 16384), f'{2 ** 31} elements'), ((60000, 20000, 1, 1), '2400000000 means')])
def test_sizes_beyond_32_bit_offsets_are_named(shape, words):
    assert words in reason(shape, device='meta')


def test_large_kernels_and_weights_are_named():
    assert 'a convolution of size 33' in reason(module=DMSCA(4, kernel_sizes=(3, 33)))
    assert 'a convolution of size 33' in reason(module=DMSCA(4, direction_kernel_size=33))
    with torch.device('meta'):
        module = DMSCA(50000, reduction=1)
    assert '2500000000 elements' in reason(module=module, device='meta')


@pytest.mark.parametrize(('found', 'words'), [
    ('2.3.1', 'Triton 2.3.1 is older than 3.3'), (None, 'pip install triton'), ('3.3.0', None), ('10.0', None)])
def test_old_or_missing_triton_is_named(found, words, monkeypatch):
    def version(name):
        if found is None:
            raise availability.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(availability, 'version', version)
    monkeypatch.setattr(availability, 'find_spec', lambda name: None)
    availability.no_triton.cache_clear()
    assert (words in reason()) if words else reason() is None
    availability.no_triton.cache_clear()


@pytest.mark.parametrize(('name', 'words'), [
    ('pytorch_triton_rocm-3.5.1', None), ('triton_windows-3.4.0.post21', None),
    ('pytorch_triton-3.2.0', 'Triton 3.2.0 is older than 3.3')])
def test_triton_of_a_distribution_with_another_name_is_found(name, words, monkeypatch, tmp_path):
    def version(asked):
        if asked == 'triton':
            raise availability.PackageNotFoundError(asked)
        return metadata.version(asked)

    folder = tmp_path / f'{name}.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text('Name: {}\nVersion: {}\n'.format(*name.split('-')))
    (folder / 'top_level.txt').write_text('triton\n')
    (tmp_path / 'triton').mkdir()
    (tmp_path / 'triton/__init__.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(availability, 'version', version)
    availability.no_triton.cache_clear()
    assert reason() == words
    availability.no_triton.cache_clear()


def test_old_card_is_named(monkeypatch):
    monkeypatch.setattr(torch.version, 'cuda', '12.8')
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (7, 0))
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'Some V100')
    availability.old_card.cache_clear()
    found = availability.old_card(torch.device('cuda', 0))
    assert found == 'Some V100 has compute capability 7.0, the kernels need 8.0'
    availability.old_card.cache_clear()


def test_a_machine_on_which_triton_cannot_compile_a_launcher_is_named(monkeypatch):
    class Driver:
        @property
        def active(self):
            raise RuntimeError('Failed to find C compiler.\nPlease specify via CC environment variable.')

    monkeypatch.setattr(runtime, 'driver', Driver())
    availability.no_launcher.cache_clear()
    found = availability.no_launcher()
    assert found.startswith('Triton cannot launch kernels here (Failed to find C compiler. Please specify')
    assert found.endswith('on Debian: apt-get install gcc python3-dev')
    availability.no_launcher.cache_clear()


def test_the_package_imports_without_triton():
    code = ("import sys; sys.modules['triton'] = None; import torch; from dmsca_mm import DMSCA; "
            "DMSCA(4)(torch.randn(1, 4, 3, 3))")
    subprocess.run([sys.executable, '-c', code], check=True)
