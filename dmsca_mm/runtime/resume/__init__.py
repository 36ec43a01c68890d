"""Resuming a run: its position, and what changed since."""
from .going_on import go_on

__all__ = ['go_on']
