"""A run that goes on: where it stood, and what changed since."""
from .going_on import go_on

__all__ = ['go_on']
