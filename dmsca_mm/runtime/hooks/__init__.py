"""Hooks of a training, a file each."""
