"""DMSCA and its peers: needs torch and nothing else."""
from .dmsca import DMSCA, DMSCAWithout, Explanation
from .peers import PEERS

__all__ = ['DMSCA', 'PEERS', 'DMSCAWithout', 'Explanation']
