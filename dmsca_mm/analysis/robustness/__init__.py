"""Performance under the fifteen common corruptions: images, metrics, table and picture."""
from .corruptions import CORRUPTIONS, GROUPS, SEVERITIES, check_severities, chosen, corrupt, library
from .presentation import picture, table
from .summary import Summary

__all__ = ['CORRUPTIONS', 'GROUPS', 'SEVERITIES', 'Summary', 'check_severities', 'chosen', 'corrupt', 'library',
           'picture', 'table']
