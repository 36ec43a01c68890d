"""A dumped config imports one module, which registers all that a run added to it."""
import subprocess
import sys

REGISTERED = """
import sys
import dmsca_mm.registry
from mmengine.registry import FUNCTIONS, HOOKS, LOOPS, TRANSFORMS
print(*(name for registry in (FUNCTIONS, HOOKS, LOOPS, TRANSFORMS) for name in registry.module_dict
        if registry.module_dict[name].__module__.startswith('dmsca_mm')))
print({'mmdet', 'mmseg', 'mmpretrain'} & {*sys.modules} or 'none')
"""


def test_registry_has_all_names_and_imports_no_library_of_models():
    done = subprocess.run([sys.executable, '-c', REGISTERED], capture_output=True, text=True, check=True)
    names, libraries = done.stdout.splitlines()[-2:]
    assert set(names.split()) == {
        'LoadWholeImage', 'LogAttention', 'SameEpochLoop', 'SameIterLoop', 'SaveOnSignal', 'StopOnBadNumbers',
        'StoreProcesses', 'TrialValidation', 'WholeCheckpointHook', 'start_worker'}
    assert libraries == 'none'
