"""Check which calls the kernels cover; Triton is imported only for a CUDA device."""
from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

import torch
from torch import Tensor

from ..signature import Parameters

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
OLDEST_TRITON = (3, 3)
OLDEST_CAPABILITY = (8, 0)
MOST_MAPS = 65535  # limit of a grid's second axis
MOST_ELEMENTS = 2 ** 31 - 1  # offsets within a map, a weight or a small tensor are 32-bit
PIXEL_MAPS = 8  # values that backward stores for each pixel, checked like a map with as many channels
LARGEST_KERNEL = 31  # a program loops over all taps; for larger kernels, PyTorch's convolutions are better


def not_covered(x: Tensor, parameters: Parameters) -> str | None:
    """Return why the kernels do not cover this call, or None if they do.

    Args:
        x: X, (N, C, H, W), dense, on a CUDA device.
        parameters: of the module.
    """
    return (no_triton() or (x.is_cuda and (old_card(x.device) or no_launcher()))
            or parameters.mismatch(x, DTYPES) or _input(x) or _parameters(parameters))


@cache
def no_triton() -> str | None:
    """Return why Triton cannot be used, or None if it can."""
    found = triton_version()
    if found is None:
        return 'Triton is not installed (pip install triton)'
    if tuple(map(int, found.split('.')[:2])) < OLDEST_TRITON:
        return f'Triton {found} is older than {".".join(map(str, OLDEST_TRITON))}'
    return None


def triton_version() -> str | None:
    """Return the version of the installed Triton, or None if it is not installed."""
    try:
        return version('triton')
    except PackageNotFoundError:
        # ROCm's, Windows' and PyTorch's nightly builds have distributions of other names; finding them takes a while.
        names = packages_distributions().get('triton') if find_spec('triton') else None
        return version(names[0]) if names else None


@cache
def old_card(device: torch.device) -> str | None:
    """Return why a GPU cannot run the kernels, or None if it can."""
    found = torch.cuda.get_device_capability(device)
    if torch.version.cuda and found < OLDEST_CAPABILITY:
        return '{} has compute capability {}.{}, the kernels need {}.{}'.format(
            torch.cuda.get_device_name(device), *found, *OLDEST_CAPABILITY)
    return None


@cache
def no_launcher() -> str | None:
    """Return why Triton cannot launch kernels on this machine's GPUs, or None if it can.

    Triton compiles the code that launches a kernel with the system's C compiler. Container images for production often
    have none.
    """
    from triton.runtime import driver
    try:
        driver.active.utils.get_device_properties(0)  # the first access compiles
    except Exception as error:  # RuntimeError, OSError, CalledProcessError and others, by version
        return (f'Triton cannot launch kernels here ({" ".join(str(error).split())}): if a C compiler or Python\'s '
                'headers are missing, install them, on Debian: apt-get install gcc python3-dev')
    return None


def _input(x: Tensor) -> str | None:
    if len(x) > MOST_MAPS:
        return f'a batch of {len(x)} maps, the kernels take up to {MOST_MAPS}'
    elements = max(x.shape[1], PIXEL_MAPS) * x.shape[2] * x.shape[3]
    if elements > MOST_ELEMENTS:
        return f'a map of {elements} elements, the kernels take up to {MOST_ELEMENTS}'
    longest = 2 * len(x) * max(x.shape[1:])
    if longest > MOST_ELEMENTS:
        return f'{longest} means of rows, columns or channels, the kernels take up to {MOST_ELEMENTS}'
    return None


def _parameters(parameters: Parameters) -> str | None:
    convolutions = (*parameters.msce_convs_weight, parameters.dii_conv_h_weight, parameters.dii_conv_w_weight)
    if not all(tensor.is_contiguous() for tensor in parameters.flat()) and not _channels_last(parameters, convolutions):
        return 'the parameters are neither all contiguous nor all channels_last'
    largest = max(size for weight in convolutions for size in weight.shape[2:])
    if largest > LARGEST_KERNEL:
        return f'a convolution of size {largest}, the kernels take up to {LARGEST_KERNEL}'
    elements = max(parameters.gce_fc1_weight.numel(), parameters.gce_fc2_weight.numel())
    if elements > MOST_ELEMENTS:
        return f'a weight of {elements} elements, the kernels take up to {MOST_ELEMENTS}'
    return None


def _channels_last(parameters: Parameters, convolutions: tuple[Tensor, ...]) -> bool:
    """Return whether the convolutions larger than 1×1 are channels_last and all other parameters contiguous."""
    rest = parameters._replace(msce_convs_weight=[], dii_conv_h_weight=parameters.dii_conv_h_bias,
                               dii_conv_w_weight=parameters.dii_conv_w_bias)
    return (all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in convolutions)
            and all(tensor.is_contiguous() for tensor in rest.flat()))
