"""Turn errors of libraries and machines into one-line, actionable messages."""
from .readable import readable_errors

__all__ = ['readable_errors']
