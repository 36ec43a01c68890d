"""A command run as a person runs it."""
import os
import subprocess
import sys
from functools import partial

import pytest


@pytest.fixture(scope='session')
def call_in(repository):
    """Runs a tool in a folder; gives the finished process."""
    def run(folder, *command, **environment):
        tool, *arguments = [str(word) for word in command]
        arguments = [str(repository / word) if word.startswith('configs/') else word for word in arguments]
        interpreter = [sys.executable] if tool.endswith('.py') else []
        clean = {k: v for k, v in os.environ.items() if k not in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')}
        return subprocess.run([*interpreter, str(repository / 'tools' / tool), *arguments], cwd=folder, text=True,
                              capture_output=True, timeout=300, env={**clean, 'PYTHON': sys.executable, **environment})
    return run


@pytest.fixture
def call(call_in, tmp_path):
    """Runs a tool in a scratch folder; gives the finished process."""
    return partial(call_in, tmp_path)
