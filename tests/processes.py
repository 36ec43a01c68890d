"""Start, watch and end trainings that run in separate processes."""
import os
import subprocess
import time
from contextlib import suppress

import psutil

PATIENCE = 120
"""Seconds after which a test gives up waiting for what takes a few."""


def started(command, **options):
    """Start a process in its own process group, with one thread and combined output."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', **options.pop('environment', {})}
    options.setdefault('stdout', subprocess.PIPE)
    return subprocess.Popen([str(part) for part in command], stderr=subprocess.STDOUT, text=True,
                            start_new_session=True, env=environment, **options)


def kill_all(process):
    """Kill a process and all its descendants at once, like a power failure."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for relative in family:
        with suppress(psutil.NoSuchProcess):
            relative.kill()


def finished(process):
    """Return the exit code and output of a process that must end by itself."""
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        kill_all(process)
        raise AssertionError(f'no end after {PATIENCE} s: {process.communicate()[0][-2000:]}') from None
    return process.returncode, output


def wait_for(condition, process):
    """Poll until a condition holds or the process has ended; returns whether the condition held."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(0.002)
    kill_all(process)
    raise AssertionError(f'waited {PATIENCE} s in vain: {process.communicate()[0][-2000:]}')


def kill_often(command, work_dir, moments):
    """Kill a training once for each moment, then let it end.

    Args:
        command: starts or resumes it.
        work_dir: folder of its checkpoints.
        moments: for each kill the seconds after the run's first new checkpoint, or 'write' for during a write.

    Returns:
        The number of kills during the write of a checkpoint, and the output of the last run.
    """
    half = 0
    for moment in moments:
        old = set(work_dir.glob('*.pth'))
        process = started(command)
        came = wait_for(lambda old=old: set(work_dir.glob('*.pth')) - old, process)
        assert came, f'ended without a new checkpoint: {process.communicate()[0][-2000:]}'
        if moment == 'write':
            wait_for(lambda: any(work_dir.glob('*.pth.part')), process)
        else:
            time.sleep(moment)
        assert process.poll() is None, 'ended before it could be killed: too many kills for this training'
        process.kill()
        process.communicate()
        half += any(work_dir.glob('*.pth.part'))
        for path in work_dir.glob('*.part'):
            path.unlink()
    code, output = finished(started(command))
    assert code == 0, output[-2000:]
    return half, output
