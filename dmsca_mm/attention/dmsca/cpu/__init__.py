"""The native CPU kernels: C++ in ``src/``, compiled by ``compile_kernels``, loaded and called by ``library``."""
from .library import attend, attend_backward, not_covered

__all__ = ['attend', 'attend_backward', 'not_covered']
