"""Errors of libraries and machines as one line that a person can act on."""
from .readable import readable_errors

__all__ = ['readable_errors']
