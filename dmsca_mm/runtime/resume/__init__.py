"""A run that goes on: what changed between the config of the earlier run and that of this one."""
from .going_on import go_on
from .processes import StoreProcesses

__all__ = ['StoreProcesses', 'go_on']
