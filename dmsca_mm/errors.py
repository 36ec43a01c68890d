"""Errors that a person can mend: one line on stderr and exit code 2, never a traceback."""
from __future__ import annotations

import os
import sys
from collections.abc import Callable


class UsageError(Exception):
    """A mistake in what the user gave: a config, a path, a number, a missing package.

    The message names the thing, the value that came and the way out. It must fit on one line.
    """


class ProcessError(UsageError):
    """What one process of a job of several may meet alone, such as a bad image: it speaks for itself."""


def is_first_process() -> bool:
    """Whether this process speaks for a job of several: it is the first of them, or the only one."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def exit_on_usage_error(main: Callable[[], None]) -> None:
    """Run a command; end with one line on stderr and exit code 2 where it raises :class:`UsageError`.

    In a job of several processes every process meets the same mistake, and only the first of them speaks; a
    :class:`ProcessError` is told by whoever met it.

    Args:
        main: the command's entry point.

    Raises:
        SystemExit: code 2, after a ``UsageError``.
    """
    try:
        main()
    except UsageError as error:
        if is_first_process() or isinstance(error, ProcessError):
            line = ' '.join(str(error).split())
            print(f'error: {line}', file=sys.stderr, flush=True)
        raise SystemExit(2) from None
