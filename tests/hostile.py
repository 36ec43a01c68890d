"""Objects that do something when they are unpickled."""
import os
import shlex


class Calls:
    """Pickles as a function call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def touching(marker):
    """Creates a file with a shell command when unpickled."""
    return Calls(os.system, f'touch {shlex.quote(str(marker))}')
