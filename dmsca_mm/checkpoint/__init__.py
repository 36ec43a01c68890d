"""Checkpoints: read safely, found by name or address, written atomically, published."""
from .reading import allow_training_state, load_weights_only, read, seed, sha256

__all__ = ['allow_training_state', 'load_weights_only', 'read', 'seed', 'sha256']
