"""Exit with one line on stderr and an exit code, without a traceback."""
from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable

OF_THE_MACHINE = {getattr(errno, name) for name in (
    'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG',
    'ELOOP', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ESTALE')}
"""System errors that are not a bug: permissions, a full disk, a file where a folder should be."""


class UsageError(Exception):
    """A mistake in the user's input or setup: a config, a path, a number, a missing package.

    The message names the thing, its value and the remedy. It must fit on one line.
    """


class ProcessError(UsageError):
    """An error that may occur in only one process of a job, such as a bad loss. Each process prints its own."""


class ImageError(ProcessError):
    """An image that cannot be trained on.

    Args:
        message: names the image. The traceback that torch prepends in a data loader worker is removed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rsplit(f'{type(self).__name__}: ', 1)[-1].strip())


class Stopped(Exception):
    """A run has stopped after a signal.

    Args:
        message: where the run stopped, and how to resume.
        number: number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def is_first_process() -> bool:
    """Return whether this process is the first or only one of its job, which prints for all."""
    return os.environ.get('RANK', '0') == '0'


def is_first_of_machine() -> bool:
    """Return whether this process is the first of its job on this machine; each machine may lack other files."""
    return os.environ.get('LOCAL_RANK', os.environ.get('RANK', '0')) == '0'


def exit_on_usage_error(main: Callable[[], None]) -> None:
    """Run a command; on :class:`UsageError`, :class:`Stopped` or a system error, exit with one line on stderr.

    In a distributed job every process finds the same usage error, and the first of each machine prints it. A
    :class:`ProcessError` or a system error, such as a file without write permission, is printed by every process in
    which it occurs. A failed write to a log does not end the run.

    Args:
        main: the command's entry point.

    Raises:
        SystemExit: code 2 after a ``UsageError`` or a system error; 128 + the signal number after a signal; 128 +
            SIGPIPE if the reader of the output has closed it.
    """
    logging.raiseExceptions = False
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook's is not
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except UsageError as error:
        if is_first_of_machine() or isinstance(error, ProcessError):
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
