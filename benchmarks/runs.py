"""Run trainings in separate processes, several at a time, and resume them where they stopped."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from tqdm import tqdm

from dmsca_mm.errors import UsageError

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'THP_MEM_ALLOC_ENABLE': '1', 'MALLOC_MMAP_THRESHOLD_': '33554432',
               'MALLOC_TRIM_THRESHOLD_': '4294967296', 'MALLOC_TOP_PAD_': '268435456'}
"""Of each process: one thread; torch asks for huge pages and glibc keeps freed memory, as mapping it anew in each
iteration takes time."""


class Steps:
    """Commands that run one after another, each in a separate process; finished steps are skipped.

    Args:
        name: of the run, and of its folder.
        work: folder of the whole study.
    """

    def __init__(self, name: str, work: Path) -> None:
        self.name, self.folder = name, work / name

    def steps(self) -> list[tuple[Path, list[str]]]:
        """Return the result file and the command of each step."""
        raise NotImplementedError

    def is_done(self) -> bool:
        """Whether the result of every step exists."""
        return all(result.exists() for result, _ in self.steps())

    def go(self, stop: threading.Event, running: set[subprocess.Popen[bytes]]) -> None:
        """Run the remaining steps.

        Args:
            stop: no further step starts once it is set.
            running: holds the running process, so that it can be terminated.

        Raises:
            UsageError: a step failed; the message names its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for result, command in self.steps():
            if stop.is_set():
                return
            if result.exists():
                continue
            script = next((part for part in command if part.endswith('.py')), command[0])  # may follow a launcher
            log = self.folder / f'{Path(script).stem}.log'
            with log.open('ab') as file:
                process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=file, stderr=file,
                                           env={**os.environ, **ENVIRONMENT}, start_new_session=True)
                running.add(process)
                code = process.wait()
                running.discard(process)
            if code != 0 and not stop.is_set():
                raise UsageError(f'{self.name}: {script} ended with {code}, see {log}; fix it and run the same '
                                 'command to resume')


def work_through(runs: Sequence[Steps], processes: int, seconds: float) -> int:
    """Finish some runs in order, several at a time.

    Args:
        runs: independent runs.
        processes: how many run at a time, at least 1.
        seconds: time limit, after which running processes save and terminate.

    Returns:
        Number of finished runs.

    Raises:
        UsageError: a step failed.
        KeyboardInterrupt: once the running processes have saved and terminated.
    """
    left = [run for run in runs if not run.is_done()]
    stop, running = threading.Event(), set()
    with ThreadPoolExecutor(processes) as pool, tqdm(total=len(runs), initial=len(runs) - len(left), unit='run') as bar:
        tasks = [pool.submit(run.go, stop, running) for run in left]
        for task in tasks:
            task.add_done_callback(lambda task: bar.update(not (stop.is_set() or task.cancelled() or task.exception())))
        try:
            wait(tasks, seconds, FIRST_EXCEPTION)
        finally:
            stop.set()
            for process in list(running):
                process.terminate()
    for task in tasks:
        task.result()
    return sum(run.is_done() for run in runs)
