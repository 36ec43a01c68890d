"""Training hooks, one per file."""

OWN = ('LogAttention', 'TrialValidation', 'StopOnBadNumbers', 'SaveOnSignal', 'StoreProcesses')
"""Names of the hooks that this package adds to every training, whatever its config."""
