"""Tasks for the pool's processes in its tests."""
import multiprocessing
import os
import signal
import sys
import time

from dmsca_mm.errors import ImageError


class Toy:
    """Runs the method named by the first item of a task."""

    def __init__(self, number):
        self.number = number

    def __call__(self, task):
        kind, value = task
        print('noise')
        print('noise', file=sys.stderr)
        os.system('echo noise; echo noise >&2')
        return getattr(self, kind)(value)

    def square(self, value):
        return value ** 2

    def meet(self, folder):
        """Wait until another process calls this at the same time."""
        (folder / str(self.number)).touch()
        end = time.monotonic() + 100
        while len(list(folder.iterdir())) < 2:
            assert time.monotonic() < end, 'no other process came'
            time.sleep(0.01)
        return self.number

    def die(self, number):
        os.kill(os.getpid(), number)
        time.sleep(100)

    def signals(self, _):
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def start_method(self, _):
        return multiprocessing.get_start_method()

    def fail(self, value):
        return 1 / value


def refuse_to_start(number):
    raise ImageError(f'process {number} has no model')
