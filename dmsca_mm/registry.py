"""The one name that a dumped config imports: it registers every hook, loop, transform and function of a run.

A config that a run wrote has ``dmsca_mm.registry`` in ``custom_imports``, so the files behind it can move.
"""
from .runtime.hooks import attention_log, checkpoint, non_finite, processes, signals
from .runtime.resume import loops, sampler
from .runtime.transforms import images

__all__ = ['attention_log', 'checkpoint', 'images', 'loops', 'non_finite', 'processes', 'sampler', 'signals']
