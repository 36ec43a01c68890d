"""Workarounds for other libraries: their globals, their names, and requirements they do not need."""
