"""Fix mmengine's LoggerHook after a test: in mmengine 0.10.7 every process writes the same metrics file."""
from __future__ import annotations

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook


def write_in_one_process() -> None:
    """Let only the first process write the metrics of a test; concurrent writes corrupt the file."""
    LoggerHook.after_test_epoch = master_only(LoggerHook.after_test_epoch)
