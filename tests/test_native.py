"""The command that builds the CPU kernels."""
import subprocess
import sys

from dmsca_mm.attention.dmsca.cpu import compile_kernels as build


def test_the_command_of_every_message_finds_the_library_that_set_up_has_built(repository):
    command = build.COMMAND.replace('python', sys.executable, 1).split(' -m ')
    done = subprocess.run([command[0], '-m', command[1]], cwd=repository, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'DMSCA CPU kernels: {build.LIBRARY.name} is current\n'
