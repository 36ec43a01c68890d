"""What is missing is said with the command that installs it."""
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import stack


def test_present_stack_passes():
    stack.require('mmdet', 'mmseg')


def test_missing_library_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(stack, 'find_spec', lambda name: None if name == 'mmseg' else object())
    with pytest.raises(UsageError, match=r'mmseg is not installed: run "pip install mmsegmentation'):
        stack.require('mmseg')


def test_mmcv_without_operators_is_told_from_no_mmcv(monkeypatch):
    def no_operators(name):
        raise ImportError('no _ext')
    monkeypatch.setattr(stack, 'import_module', no_operators)
    with pytest.raises(UsageError, match=r'mmcv has no usable compiled operators .*--no-build-isolation'):
        stack.require('mmdet')
