"""Distribute tasks over processes; a free process takes the next task. If one dies, or on Ctrl-C, all of them end.

``concurrent.futures.ProcessPoolExecutor`` waits for its running tasks, here minutes, when it is closed. Here, all
processes end at once, the signal that ended one is named, and an error while one starts reaches the caller.
"""
from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ...errors import ProcessError, UsageError
from ...runtime.distributed import end_with_parent

Start = Callable[[int], Callable[[Any], Any]]


def deal(start: Start, tasks: Sequence[Any], processes: int) -> Iterator[tuple[Any, Any]]:
    """Run tasks in new processes, which print nothing and end with this one.

    Args:
        start: called once in each process with its number, from 0; returns the function to call with each task.
            It must be picklable, and so must the tasks and the results.
        tasks: started in order.
        processes: number of processes, at least 1; at most one for each task is started.

    Yields:
        A task and its result, as soon as it is available.

    Raises:
        UsageError: a process raised it, or a process died.
        RuntimeError: a process raised anything else; the message has its traceback.
    """
    waiting = iter(tasks)
    workers: dict[Connection, BaseProcess] = {}
    try:
        for number, task in zip(range(processes), waiting, strict=False):
            connection, process = _started(start, number)
            workers[connection] = process
            connection.send(task)
        for _ in tasks:
            connection = wait(list(workers))[0]
            try:
                task, result, error = connection.recv()
            except (EOFError, ConnectionError):
                raise _death(workers[connection]) from None
            if error is not None:
                raise error
            following = next(waiting, None)
            if following is not None:
                connection.send(following)
            yield task, result
    finally:
        for connection, process in workers.items():
            process.terminate()
            process.join()
            connection.close()


def _started(start: Start, number: int) -> tuple[Connection, BaseProcess]:
    # A fork would inherit the locks of torch's threads and a CUDA context that it cannot use.
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, start, number))
    # Ctrl-C reaches the whole process group. Blocked here, SIGINT is blocked in the new process from its first moment.
    # Start the resource tracker before: otherwise the first process would start it, which unblocks SIGINT.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return ours, process


def _work(connection: Connection, start: Start, number: int) -> None:
    end_with_parent()
    multiprocessing.set_start_method(None, force=True)  # data workers start as in any other run
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # output of the libraries would disturb the progress bar
        os.dup2(nowhere, stream)
    task = None
    try:
        work = start(number)
        while True:
            task = connection.recv()
            connection.send((task, work(task), None))
    except UsageError as error:
        connection.send((task, None, error))
    except Exception:
        connection.send((task, None, RuntimeError(f'in process {number}, task {task}: {traceback.format_exc()}')))


def _death(process: BaseProcess) -> ProcessError:
    process.join()
    how = signal.Signals(-process.exitcode).name if process.exitcode < 0 else f'exit code {process.exitcode}'
    return ProcessError(f'a process ended by {how}: most often the memory is full; finished tests are stored, so '
                        'run the same command again with fewer --processes')
