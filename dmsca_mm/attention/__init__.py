"""The operator: needs torch and nothing else."""
from .dmsca import DMSCA, DMSCAWithout, Explanation
from .peers import CBAM, ECA, SE, CoordinateAttention

__all__ = ['CBAM', 'DMSCA', 'ECA', 'SE', 'CoordinateAttention', 'DMSCAWithout', 'Explanation']
