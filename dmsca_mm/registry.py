"""The one name that a dumped config imports: it registers every hook, loop, transform and function of a run.

A config that a run wrote has ``dmsca_mm.registry`` in ``custom_imports``, so the files behind it can move.
"""
from .runtime import attention_log, bad_numbers, batches, images, loops, saving, signals
from .runtime.resume import processes

__all__ = ['attention_log', 'bad_numbers', 'batches', 'images', 'loops', 'processes', 'saving', 'signals']
