"""DMSCA and its forms. Which file to edit to change a part of the formula, and which test then has to pass:

- a part's layers, parameters and literal formula: ``parts.py``, tests/attention/dmsca/test_parts.py
- the order of the parts and the literal form: ``reference.py``, test_module.py (against a formula of its own)
- the same change in the fast forms: ``rearranged.py`` and ``gates.py``, forward and backward, test_rearranged.py; the
  graph that is exported: ``exported.py``, test_exported.py; then the stage of the same name in ``cpu/src/``
  (cpu/test_library.py) and in ``triton/`` (triton/test_passes.py), against the literal form
- the class of a part or of a layer: ``children.py`` as well, or the literal form serves in place of the fast one
- a new or renamed parameter: ``signature.py`` as well, from which the operator's schema follows; test_op.py
- initialization and constructor: ``module.py``, test_module.py; a part that is left out: ``ablation.py``
- what is logged in training: ``monitor.py``, test_monitor.py
"""
from .ablation import DMSCAWithout
from .module import DMSCA, Explanation

__all__ = ['DMSCA', 'DMSCAWithout', 'Explanation']
