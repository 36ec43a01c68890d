"""``python -m dmsca_mm``: report what is installed, what works, and the command that fixes what does not."""
from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec

import torch

from .attention.dmsca.cpu import compile_kernels, library
from .attention.dmsca.triton.availability import no_launcher, no_triton, old_card, triton_version
from .compat import requirements
from .version import __version__

OLDEST_TORCH = {'operator': (2, 4), 'tools': (2, 6)}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: name of the part, such as ``'mmcv'``.
        found: its state, such as a version.
        fault: what is wrong; empty if nothing is.
        command: shell command or instruction that fixes it.
    """

    what: str
    found: str
    fault: str = ''
    command: str = ''


def examine() -> list[Finding]:
    """Find what is installed on this machine, from the interpreter up to the libraries."""
    return [_python(), _torch(), _gpu(), *map(_library, ('mmengine', 'mmcv', *requirements.LIBRARIES)), _opencv(),
            _setuptools(), _cpu_kernels(), _triton(),
            *map(_optional, ('torchvision', 'onnx', 'onnxscript', 'onnxruntime'))]


def abilities(findings: list[Finding]) -> list[Finding]:
    """Derive what this machine can do.

    Args:
        findings: from :func:`examine`.

    Returns:
        One finding for each ability, ``'yes'`` or ``'no'`` with the missing parts; and the devices to train on.
    """
    broken = {finding.what for finding in findings if finding.fault}
    old = ('torch',) if _too_old('operator') else ()
    base = ('torch', 'mmengine', 'mmcv', 'setuptools')
    gpu = [] if torch.cuda.is_available() else ['GPU']
    needs = {'the operator': old, 'its CPU kernels': ('CPU kernels',), 'its GPU kernels': ('Triton',),
             'detectors': (*base, 'mmdet'), 'segmenters': (*base, 'mmsegmentation'),
             'classifiers': (*base, 'mmpretrain'), 'ONNX export': ('onnx', 'onnxscript', 'onnxruntime')}
    found = []
    for ability, parts in needs.items():
        missing = [part for part in parts if part in broken] + (gpu if ability == 'its GPU kernels' else [])
        found.append(Finding(ability, f'no: {", ".join(missing)}' if missing else 'yes'))
    return [*found, Finding('train on', 'GPU and CPU' if not gpu else 'CPU')]


def report(findings: list[Finding]) -> str:
    """Format the findings, the abilities and the fixes as text.

    Args:
        findings: from :func:`examine`.
    """
    lines = [f'{"dmsca_mm":<16}{__version__}', *(f'{each.what:<16}{each.found}' for each in findings), '',
             *(f'{each.what:<16}{each.found}' for each in abilities(findings))]
    faults: dict[tuple[str, str], list[str]] = {}
    for each in findings:
        if each.fault:
            faults.setdefault((each.fault, each.command), []).append(each.what)
    listed = [f'{", ".join(names)}: {fault}\n    {command}' for (fault, command), names in faults.items()]
    return '\n'.join([*lines, *(['', 'To mend:', *listed] if listed else [])])


def main() -> int:
    """Print the report.

    Returns:
        0 if a detector, a segmenter or a classifier can be trained, else 1.
    """
    findings = examine()
    print(report(findings))
    can = {each.what: each.found for each in abilities(findings)}
    return 0 if 'yes' in (can['detectors'], can['segmenters'], can['classifiers']) else 1


def _python() -> Finding:
    return Finding('Python', f'{platform.python_version()}, {platform.system()} {platform.machine()}')


def _torch() -> Finding:
    needed = [f'{what} {".".join(map(str, oldest))}' for what, oldest in OLDEST_TORCH.items() if _too_old(what)]
    if not needed:
        return Finding('torch', torch.__version__)
    return Finding('torch', torch.__version__, f'too old, needed: {", ".join(needed)}',
                   f'pip install --upgrade torch && {requirements.building_mmcv()}')


def _too_old(what: str) -> bool:
    return tuple(map(int, torch.__version__.split('.')[:2])) < OLDEST_TORCH[what]


def _gpu() -> Finding:
    if torch.cuda.is_available():
        names = ', '.join(torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count()))
        return Finding('GPU', f'{names}; CUDA {torch.version.cuda}')
    if shutil.which('nvidia-smi') is None:
        return Finding('GPU', 'none: no driver')
    how = f'built for CUDA {torch.version.cuda}' if torch.version.cuda else 'built without CUDA'
    return Finding('GPU', f'not usable: there is a driver, and torch is {how}', 'torch and the driver do not fit',
                   'install a build of torch for your driver: https://pytorch.org/get-started/locally')


def _library(name: str) -> Finding:
    """Check an OpenMMLab library by its import name."""
    what = {'mmseg': 'mmsegmentation'}.get(name, name)
    found = next((f'{package} {number}' for package, number in requirements.versions().items()
                  if package.removeprefix('onedl-') in (what, {'mmdet': 'mmdetection'}.get(what))), 'not installed')

    try:
        if name != 'mmengine':
            requirements.require(*({name} - {'mmcv'}))
        import_module(name)
    except requirements.BrokenLibraryError as error:
        return Finding(what, found, error.reason, error.command)
    except (ImportError, AssertionError, RuntimeError, AttributeError) as error:  # they assert the version of mmcv
        reason = ' '.join(str(error).split()) or type(error).__name__
        return Finding(what, found, reason, requirements.installing(*dict.fromkeys(('mmcv', name))))
    if name == 'mmcv':
        found += ', with its operators' + (', for the CPU alone' if requirements.lacks_gpu_operators() else '')
    return Finding(what, found)


def _opencv() -> Finding:
    found = sorted({f'{each.name} {each.version}' for each in distributions()
                    if (each.name or '').startswith('opencv-')})
    fault = command = ''
    if len({each.split()[1] for each in found}) > 1:  # the forks need two builds, which must have the same version
        fault = 'builds of several versions overwrite each other'
        command = f'pip uninstall -y {" ".join(each.split()[0] for each in found)} && pip install opencv-python'
    elif not found and find_spec('cv2') is None:
        fault, command = 'the data sets need it', 'pip install opencv-python'
    else:
        try:
            import_module('cv2')
        except ImportError as error:
            fault, command = f'it cannot be imported ({error})', requirements.OPENCV
    return Finding('OpenCV', ', '.join(found) or 'not installed', fault, command)


def _setuptools() -> Finding:
    try:
        found = version('setuptools')
    except PackageNotFoundError:
        found = 'not installed'
    if find_spec('pkg_resources') is not None:
        return Finding('setuptools', found)
    return Finding('setuptools', found, 'the libraries import its pkg_resources', requirements.SETUPTOOLS)


def _cpu_kernels() -> Finding:
    try:
        library.load()
    except library.LoadError as error:
        compiler = '' if shutil.which('c++') else ', after installing a C++ compiler (g++)'
        return Finding('CPU kernels', 'not usable', f'{error.reason}; until then PyTorch computes',
                       f'{compile_kernels.COMMAND}{compiler}')
    return Finding('CPU kernels', f'{compile_kernels.LIBRARY.name}, current')


def _triton() -> Finding:
    if not torch.cuda.is_available():
        return Finding('Triton', 'not needed without a GPU')
    if fault := no_triton():
        command = 'pip install --upgrade torch' if triton_version() else 'pip install triton'  # torch pins its version
        return Finding('Triton', 'not usable', fault, command)
    if reason := old_card(torch.device('cuda')):
        return Finding('Triton', f'not used, {reason}')
    if fault := no_launcher():
        return Finding('Triton', 'not usable', *fault.rsplit(': ', 1))
    return Finding('Triton', triton_version())


def _optional(package: str) -> Finding:
    """Check a package that only some features need."""
    try:
        return Finding(package, version(package))
    except PackageNotFoundError:
        if package == 'torchvision':
            return Finding(package, 'not installed; mmpretrain does without for classification')
        return Finding(package, 'not installed', 'ONNX export needs it', f'pip install {package}')
