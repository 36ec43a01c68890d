"""Performance under the fifteen common corruptions: the images, the figures, table and picture."""
from .corruptions import CORRUPTIONS, GROUPS, SEVERITIES, check_library, check_severities, chosen, corrupt
from .presentation import picture, table
from .summary import Summary

__all__ = ['CORRUPTIONS', 'GROUPS', 'SEVERITIES', 'Summary', 'check_library', 'check_severities', 'chosen', 'corrupt',
           'picture', 'table']
