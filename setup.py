"""Builds the CPU kernels into the package where a C++ compiler is there, and lays configs and tools beside its modules.

The installation never fails for the kernels.
"""
import os
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CPU = Path('dmsca_mm/attention/dmsca/cpu')
MIM = Path('dmsca_mm/.mim')
"""The folder in which mim and mmengine look for a package's configs and tools."""
SHIPPED = 'configs', 'tools', 'model-index.yml', 'dmsca_mm/presets.py'
"""The last one is inherited by the configs, by its path from them."""
OF_A_CHECKOUT = 'setup.sh', 'demo.sh', 'draw_imports.py'
"""Tools that make no sense elsewhere."""
spec = spec_from_file_location('build_kernels', ROOT / CPU / 'compile_kernels.py')
kernels = module_from_spec(spec)
spec.loader.exec_module(kernels)


class BuildWithKernels(build_py):
    """Puts everything into the build, or for an editable installation into the checkout."""

    def run(self) -> None:
        """Copy the modules, then configs, tools and the library beside them."""
        super().run()
        if self.editable_mode:
            link(ROOT / MIM)
        else:
            copy(Path(self.build_lib) / MIM)
        folder = kernels.LIBRARY.parent if self.editable_mode else Path(self.build_lib) / CPU
        try:
            print(f'DMSCA CPU kernels: {kernels.build(folder / kernels.LIBRARY.name)}')
        except kernels.BuildError as error:
            print(f'DMSCA CPU kernels: not built, {error}', file=sys.stderr)


def copy(mim: Path) -> None:
    """What is shipped, into a folder that is made anew."""
    shutil.rmtree(mim, ignore_errors=True)
    mim.mkdir(parents=True)
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, mim / name, ignore=shutil.ignore_patterns('__pycache__', *OF_A_CHECKOUT))
        else:
            (mim / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, mim / name)


def link(mim: Path) -> None:
    """Links to what is shipped, which stays that of the checkout."""
    shutil.rmtree(mim, ignore_errors=True)
    for name in SHIPPED:
        (mim / name).parent.mkdir(parents=True, exist_ok=True)
        (mim / name).symlink_to(os.path.relpath(ROOT / name, (mim / name).parent))


class PlatformDistribution(Distribution):
    """A distribution with a compiled library."""

    def has_ext_modules(self) -> bool:
        """Makes the wheel platform-specific."""
        return True


class AnyPythonWheel(bdist_wheel):
    """A wheel for this platform and every Python 3: the library knows none."""

    def get_tag(self) -> tuple[str, str, str]:
        """The tags of Python, ABI and platform."""
        return 'py3', 'none', super().get_tag()[2]


setup(cmdclass=dict(build_py=BuildWithKernels, bdist_wheel=AnyPythonWheel), distclass=PlatformDistribution)
