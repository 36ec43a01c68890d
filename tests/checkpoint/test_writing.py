"""A kill or a full disk never destroys an existing file."""
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from mmengine.fileio import LocalBackend, get_file_backend, register_backend

from dmsca_mm.checkpoint.writing import WholeFiles, write_atomically
from dmsca_mm.errors import UsageError

KILLS = 20
WRITER = """
import sys
from dmsca_mm.checkpoint.writing import write_atomically
print('ready', flush=True)
for turn in range(10 ** 9):
    write_atomically(bytes([turn % 251]) * 8_000_000, sys.argv[1])
"""


@pytest.fixture(autouse=True)
def backend():
    """Use our backend for atomic writes during the test, and mmengine's afterwards."""
    register_backend('local', WholeFiles, force=True, prefixes='')
    yield
    register_backend('local', LocalBackend, force=True, prefixes='')


@pytest.mark.soak
def test_killed_writer_leaves_the_old_or_the_new_content(tmp_path):
    path, seeded = tmp_path / 'epoch_1.pth', random.Random(0)
    found = set()
    for _ in range(KILLS):
        with subprocess.Popen([sys.executable, '-c', WRITER, path], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(seeded.uniform(0.005, 0.12))
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            content = path.read_bytes()
            assert len(content) == 8_000_000
            assert len(set(content)) == 1
            found.add(content[0])
    assert found, 'no writer lived long enough to write anything'


@pytest.fixture
def full_disk():
    """Make the system refuse files beyond a megabyte, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_one_line_and_leaves_the_old_content(tmp_path, full_disk):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'good')
    with pytest.raises(UsageError, match=r'could not be written \(2.0 MB: File too large\); its earlier content'):
        write_atomically(bytes(2_000_000), path)
    assert path.read_bytes() == b'good'
    assert list(tmp_path.iterdir()) == [path], 'nothing half written is left'


def test_every_file_that_mmengine_writes_is_whole(tmp_path, full_disk):
    backend = get_file_backend(str(tmp_path / 'any.pth'))
    with pytest.raises(UsageError, match='could not be written'):
        backend.put(bytes(2_000_000), str(tmp_path / 'any.pth'))
    backend.put(b'small', tmp_path / 'new' / 'any.pth')
    assert (tmp_path / 'new' / 'any.pth').read_bytes() == b'small'
