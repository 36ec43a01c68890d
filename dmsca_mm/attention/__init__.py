"""The operator: needs torch and nothing else."""
from .dmsca import DMSCA, Explanation

__all__ = ['DMSCA', 'Explanation']
