"""Resume a run from its position, and report what changed since."""
from .going_on import go_on

__all__ = ['go_on']
