"""Builds the CPU kernels into the package, where a C++ compiler is there; the installation never fails for them."""
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

CPU = Path('dmsca_mm/attention/dmsca/cpu')
spec = spec_from_file_location('build_kernels', Path(__file__).parent / CPU / 'compile_kernels.py')
kernels = module_from_spec(spec)
spec.loader.exec_module(kernels)


class BuildWithKernels(build_py):
    """Compiles into the build, or for an editable installation into the checkout."""

    def run(self) -> None:
        """Copy the modules, then build the library beside them."""
        super().run()
        folder = kernels.LIBRARY.parent if self.editable_mode else Path(self.build_lib) / CPU
        try:
            print(f'DMSCA CPU kernels: {kernels.build(folder / kernels.LIBRARY.name)}')
        except kernels.BuildError as error:
            print(f'DMSCA CPU kernels: not built, {error}', file=sys.stderr)


class PlatformDistribution(Distribution):
    """One that holds a library."""

    def has_ext_modules(self) -> bool:
        """Whether it is of one platform alone."""
        return True


class AnyPythonWheel(bdist_wheel):
    """A wheel for this platform and every Python 3: the library knows none."""

    def get_tag(self) -> tuple[str, str, str]:
        """The tags of Python, ABI and platform."""
        return 'py3', 'none', super().get_tag()[2]


setup(cmdclass=dict(build_py=BuildWithKernels, bdist_wheel=AnyPythonWheel), distclass=PlatformDistribution)
