"""mmengine's LoggerHook after a test: in mmengine 0.10.7 every process writes the same file of figures."""
from __future__ import annotations

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook


def write_in_one_process() -> None:
    """From here on the first process alone writes a test's figures; two at a time garble the file."""
    LoggerHook.after_test_epoch = master_only(LoggerHook.after_test_epoch)
