"""The operator: needs torch and nothing else."""
from .ablation import DMSCAWithout
from .dmsca import DMSCA, Explanation
from .peers import CBAM, ECA, SE, CoordinateAttention

__all__ = ['CBAM', 'DMSCA', 'ECA', 'SE', 'CoordinateAttention', 'DMSCAWithout', 'Explanation']
