"""Training hooks, one per file."""
