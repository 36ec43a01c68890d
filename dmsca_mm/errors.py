"""Ends that a person can understand: one line on stderr and an exit code, never a traceback."""
from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable


class UsageError(Exception):
    """A mistake in what the user gave: a config, a path, a number, a missing package.

    The message names the thing, the value that came and the way out. It must fit on one line.
    """


class ProcessError(UsageError):
    """What one process of a job of several may meet alone, such as a bad loss: it speaks for itself."""


class ImageError(ProcessError):
    """An image that cannot be trained on.

    Args:
        message: names it; torch puts a data worker's whole traceback before it, which goes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rsplit(f'{type(self).__name__}: ', 1)[-1].strip())


class Stopped(Exception):
    """A run that was told to stop has done so.

    Args:
        message: where it stopped, and how to go on.
        number: the signal that told it.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def is_first_process() -> bool:
    """Whether this process speaks for a job of several: it is the first of them, or the only one."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def exit_on_usage_error(main: Callable[[], None]) -> None:
    """Run a command; end with one line on stderr where it raises :class:`UsageError` or is told to stop.

    In a job of several processes every process meets the same mistake, and only the first of them speaks; a
    :class:`ProcessError` is told by whoever met it.

    Args:
        main: the command's entry point.

    Raises:
        SystemExit: code 2 after a ``UsageError``; 128 and the signal's number after a signal.
    """
    try:
        main()
    except UsageError as error:
        if is_first_process() or isinstance(error, ProcessError):
            _tell(f'error: {error}')
        raise SystemExit(2) from None
    except Stopped as stop:
        if is_first_process():
            _tell(str(stop))
        raise SystemExit(128 + stop.number) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


def _tell(message: str) -> None:
    print(' '.join(message.split()), file=sys.stderr, flush=True)
