"""Exit with one line on stderr and an exit code, without a traceback."""
from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable

OF_THE_MACHINE = {getattr(errno, name) for name in (
    'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG',
    'ELOOP', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ESTALE')}
"""Refusals of the system that are no mistake of a program: permissions, a full disk, a file in a folder's place."""


class UsageError(Exception):
    """A mistake in what the user gave: a config, a path, a number, a missing package.

    The message names the thing, the value that came and the way out. It must fit on one line.
    """


class ProcessError(UsageError):
    """What one process of a job of several may meet alone, such as a bad loss: each process prints its own."""


class ImageError(ProcessError):
    """An image that cannot be trained on.

    Args:
        message: names it; torch prepends the traceback of a data worker, which is removed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rsplit(f'{type(self).__name__}: ', 1)[-1].strip())


class Stopped(Exception):
    """A run has stopped after a signal.

    Args:
        message: where it stopped, and how to go on.
        number: the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def is_first_process() -> bool:
    """Whether this process speaks for a job of several: it is the first of them, or the only one."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def exit_on_usage_error(main: Callable[[], None]) -> None:
    """Run a command; end with one line on stderr where it raises :class:`UsageError` or is interrupted.

    In a job of several processes every process meets the same mistake, and only the first of them prints it; a
    :class:`ProcessError` is printed by the process that it happened to, and so is what the system refuses, such as a
    file that may not be written. A log that takes no more text does not end a run.

    Args:
        main: the command's entry point.

    Raises:
        SystemExit: code 2 after a ``UsageError`` or a refusal of the system; 128 and the signal's number after a
            signal, or where nobody reads the output any more.
    """
    logging.raiseExceptions = False
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except UsageError as error:
        if is_first_process() or isinstance(error, ProcessError):
            _print(f'error: {error}')
        raise SystemExit(2) from None
    except Stopped as stop:
        if is_first_process():
            _print(str(stop))
        raise SystemExit(128 + stop.number) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except BrokenPipeError:
        _leave_stdout()
        raise SystemExit(128 + signal.SIGPIPE) from None
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        _leave_stdout()
        what = error.filename or 'the output or a file'
        _print(f'error: {what}: {error.strerror}: mend this, or choose another place')
        raise SystemExit(2) from None


def _leave_stdout() -> None:
    """Redirect a broken stdout to /dev/null, so that Python's flush at exit cannot fail."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(message: str) -> None:
    print(' '.join(message.split()), file=sys.stderr, flush=True)
