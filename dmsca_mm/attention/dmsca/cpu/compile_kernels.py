"""Compile the CPU kernels into one small library that depends on neither torch nor Python.

Runs without importing the package: ``setup.py`` and ``tools/setup.sh`` may call it before torch is installed.
"""
from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES = Path(__file__).parent / 'src'
LIBRARY = Path(__file__).parent / f'libdmsca-{platform.machine()}.so'
COMMAND = 'python -m dmsca_mm.native'
"""The command that builds the library, for messages."""
FLAGS = ['-std=c++17', '-O3', '-fPIC', '-fopenmp', '-fno-math-errno', '-fno-trapping-math', '-fvisibility=hidden',
         '-Wall', '-Wextra', '-Wno-psabi']
"""-ffast-math is omitted because it assumes that NaN and infinity do not occur."""
_X86 = {'avx512': (16, ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma',
                        '-mprefer-vector-width=512']),
        'avx2': (8, ['-mavx2', '-mfma'])}
VARIANTS = {**(_X86 if platform.machine() == 'x86_64' else {}), 'baseline': (4, [])}
"""For each variant, the lanes of a vector and the compiler's flags."""


class BuildError(Exception):
    """The library cannot be built; the message is one line."""


def sources_hash() -> str:
    """Return the hash of the C++ sources and the compiler's flags; a library contains that of its own."""
    digest = hashlib.sha256(repr((FLAGS, VARIANTS)).encode())
    for path in sorted(SOURCES.iterdir()):
        if path.suffix not in ('.h', '.cpp') or path.name.startswith('.'):  # an editor's files
            continue
        digest.update(path.name.encode() + b'\0' + path.read_bytes())
    return digest.hexdigest()[:16]


def build(target: Path = LIBRARY) -> str:
    """Compile and link the library. An existing library stays until the new one is complete.

    Args:
        target: path of the library.

    Returns:
        a summary in one line.

    Raises:
        BuildError: there is no compiler, the compiler fails, or the folder is not writable.
    """
    compiler = shlex.split(os.environ.get('CXX') or 'c++')
    if not compiler or shutil.which(compiler[0]) is None:
        raise BuildError(f'there is no C++ compiler ({" ".join(compiler) or "CXX is empty"}): install one, on Debian: '
                         f'apt-get install g++; then run "{COMMAND}"')
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix='dmsca-build-') as folder:
            jobs = {name: _start([*compiler, *FLAGS, *instructions, f'-DNAME={name}', f'-DLANES={lanes}', '-c',
                                  str(SOURCES / 'variant.cpp'), '-o', f'{folder}/{name}.o'])
                    for name, (lanes, instructions) in VARIANTS.items()}
            errors = {name: job.communicate()[1] for name, job in jobs.items()}  # wait: the folder will be deleted
            for name, job in jobs.items():
                _check(job.returncode, errors[name], f'the {name} kernels')
            library = f'{folder}/library.so'
            job = _start([*compiler, *FLAGS, f'-DSOURCES="{sources_hash()}"', '-shared', str(SOURCES / 'library.cpp'),
                          *(f'{folder}/{name}.o' for name in VARIANTS), '-o', library])
            linker_errors = job.communicate()[1]
            _check(job.returncode, linker_errors, 'the library')
            _put(Path(library), target)
    except OSError as error:
        raise BuildError(f'{error.filename2 or error.filename} cannot be written: {error.strerror}') from None
    return (f'built {target.name}: {", ".join(VARIANTS)}; {target.stat().st_size // 1000} kB, '
            f'{time.monotonic() - started:.0f} s with {" ".join(compiler)}')


def is_complete(path: Path) -> bool:
    """Return whether an ELF library is as long as its header says; loading a truncated one would crash the process."""
    with path.open('rb') as file:
        header = file.read(64)
    if len(header) < 64 or header[:5] != b'\x7fELF\x02':
        return False
    order = '<' if header[5] == 1 else '>'
    (start,), (size, count) = struct.unpack_from(f'{order}Q', header, 40), struct.unpack_from(f'{order}HH', header, 58)
    return start + size * count <= path.stat().st_size


def is_current(path: Path = LIBRARY) -> bool:
    """Return whether the library exists, is complete and was compiled from these sources."""
    return path.exists() and is_complete(path) and sources_hash().encode() in path.read_bytes()


def loads(path: Path = LIBRARY) -> bool:
    """Return whether the system can load the library; one from another machine may need what this one lacks."""
    try:
        ctypes.CDLL(str(path))
    except OSError:
        return False
    return True


def _start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors='replace')


def _check(code: int, errors: str, what: str) -> None:
    if code:
        reason = next((line for line in errors.splitlines() if 'error' in line), errors.strip()[-200:])
        raise BuildError(f'compiling {what} failed: {reason}; PyTorch operators are used instead')


def _put(library: Path, target: Path) -> None:
    """Replace the target by a finished library atomically: copy it to a private name, then rename it."""
    part = target.with_name(f'.{target.name}.{os.getpid()}.part')
    try:
        shutil.copyfile(library, part)
        with part.open('rb+') as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Build the library unless it is current and loads, and print the result in one line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Build DMSCA's CPU kernels with the C++ compiler "
                                     "(CXX, default c++)")
    parser.add_argument('--force', action='store_true', help='build even if the library is current')
    parser.add_argument('--quiet', action='store_true', help='print nothing if the library is current')
    options = parser.parse_args(arguments)
    if not options.force and is_current() and loads():
        if not options.quiet:
            print(f'DMSCA CPU kernels: {LIBRARY.name} is current')
        return 0
    try:
        print(f'DMSCA CPU kernels: {build()}')
    except BuildError as error:
        print(f'DMSCA CPU kernels: not built, {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
