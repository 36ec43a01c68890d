"""Memory and events from torch's profiler."""
from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from setting import Row

os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # silences the profiler; read at the first profile

MEGABYTE = 1e6


def trace(profile: torch.profiler.profile) -> list[Row]:
    """Return the events of a finished profile in Chrome trace format."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / 'trace.json'
        profile.export_chrome_trace(str(path))
        return json.loads(path.read_text())['traceEvents']


def most_allocated(events: list[Row]) -> int:
    """Return the peak number of bytes allocated on the CPU, relative to the start.

    Args:
        events: of a profile with ``profile_memory``.
    """
    changes = sorted((event['ts'], event['args']['Bytes']) for event in events if event['name'] == '[memory]')
    return int(np.cumsum([change for _, change in changes]).max(initial=0))
