"""What does something when it is unpickled."""
import os
import shlex


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def touching(marker):
    """Makes a file by a command of the shell."""
    return Calls(os.system, f'touch {shlex.quote(str(marker))}')
