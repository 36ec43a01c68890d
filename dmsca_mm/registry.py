"""Register every hook, loop, transform and function that a run adds to its config.

A config that a run dumps has ``dmsca_mm.registry`` in ``custom_imports``, so the modules behind it can move.
"""
from .runtime.hooks import attention_log, checkpoint, non_finite, processes, signals, trial
from .runtime.resume import loops, sampler
from .runtime.transforms import images

__all__ = ['attention_log', 'checkpoint', 'images', 'loops', 'non_finite', 'processes', 'sampler', 'signals', 'trial']
