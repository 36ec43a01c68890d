"""DMSCA and its peers. They depend on torch only."""
from .dmsca import DMSCA, DMSCAWithout, Explanation
from .peers import PEERS

__all__ = ['DMSCA', 'PEERS', 'DMSCAWithout', 'Explanation']
