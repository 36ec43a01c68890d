"""Run the work of ``gpu_report.py`` in separate processes with a time limit, and report why one failed."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from gpu_jobs import Job, as_json
from runs import ROOT
from setting import Row

SCRIPT = Path(__file__).parent / 'gpu_jobs.py'
OVER = 'left out: the time was over'
PATIENCE = 10
"""Seconds that a process has to end after SIGTERM."""
_ERROR = re.compile(r'^(?:error: (?!process \d)(.*)|([\w.]*(?:Error|Exception)\b.*))', re.MULTILINE)

Take = Callable[[Job, list[Row]], None]


def run(command: Sequence[str], end: float) -> tuple[int | None, str]:
    """Run a Python command and return its exit code, or None if the time was up, and its output.

    Args:
        command: without the interpreter.
        end: ``time.monotonic()`` at which it is stopped.
    """
    with tempfile.TemporaryFile('w+', errors='replace') as log:
        process = _start(command, log)
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None, _text(log)
        finally:
            _stop(process)
        return process.returncode, _text(log)


def finish(jobs: Sequence[Job], processes: int, end: float, take: Take) -> None:
    """Run jobs in order, in one process for each GPU; after a job fails, new processes run the rest.

    Args:
        jobs: to run.
        processes: at least 1.
        end: ``time.monotonic()`` at which the work is stopped.
        take: called with each job and its rows; a job that was not done has a single row with a ``note``.
    """
    left = list(jobs)
    launcher = ['-m', 'dmsca_mm.runtime.launch', str(SCRIPT), str(processes)] if processes > 1 else [str(SCRIPT)]
    while left and time.monotonic() < end:
        failure = _work(launcher, left, end, take)
        if failure is not None:
            take(left.pop(0), [dict(note=f'failed: {failure}')])
    for job in left:
        take(job, [dict(note=OVER)])


def _work(launcher: list[str], left: list[Job], end: float, take: Take) -> str | None:
    """Start processes for the remaining jobs and take their rows; return the reason if the next job failed."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile('w+', errors='replace') as log:
        listed, results = Path(folder) / 'jobs.json', Path(folder) / 'results'
        listed.write_text(as_json(left))
        results.touch()
        process = _start([*launcher, str(listed), str(results), '--end', str(time.time() + end - time.monotonic())],
                         log)
        taken, running = 0, True
        try:
            while running and time.monotonic() < end:
                time.sleep(0.2)
                running = process.poll() is None
                for line in results.read_text().split('\n')[taken:-1]:  # the last line may be incomplete
                    take(left.pop(0), json.loads(line))
                    taken += 1
        finally:
            _stop(process)
        return None if running or not left else why(_text(log))


def why(output: str) -> str:
    """Return the last error in a command's output, or its last line."""
    found = [''.join(groups) for groups in _ERROR.findall(output)] or output.split('\n')
    return found[-1].strip() or 'no reason was printed'


def _start(command: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    return subprocess.Popen([sys.executable, '-W', 'ignore', *command], cwd=ROOT, stdout=log, stderr=log,
                            env={**os.environ, 'PYTHONPATH': path})


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _text(log: IO[str]) -> str:
    log.seek(0)
    return log.read().rstrip()
