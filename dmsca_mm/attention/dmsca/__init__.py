"""DMSCA and its forms. To change the formula, edit these files and run these tests:

- layers, parameters and literal formula of a part: ``parts.py``, tests/attention/dmsca/test_parts.py
- order of the parts, literal form: ``reference.py``, test_module.py (which has a formula of its own)
- the same change in the fast forms: ``rearranged.py`` and ``gates.py``, forward and backward, test_rearranged.py; the
  exported graph: ``exported.py``, test_exported.py; then the stage of the same name in ``cpu/src/``
  (cpu/test_library.py) and in ``triton/`` (triton/test_passes.py), compared with the literal form
- class of a part or a layer: also ``children.py``; otherwise the literal form is used instead of the fast one
- new or renamed parameter: also ``signature.py``, which defines the operator's schema; test_op.py
- initialization and constructor: ``module.py``, test_module.py; ablation of a part: ``ablation.py``
- training statistics: ``monitor.py``, test_monitor.py
"""
from .ablation import DMSCAWithout
from .module import DMSCA, Explanation

__all__ = ['DMSCA', 'DMSCAWithout', 'Explanation']
