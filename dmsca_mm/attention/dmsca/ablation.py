"""DMSCA without one of its parts, to measure what the part is worth."""
from __future__ import annotations

from typing import Any

from torch import nn

from .. import checks
from .module import DMSCA

PARTS = {'gce': 'gce', 'tca': 'tca', 'msce': 'msce.convs', 'dii': 'dii', 'dff': 'dff', 'aa': 'aa'}
"""By name of a part, the module that is frozen, with every parameter at zero. There the part is neutral:

- gce: F = 0, so A_c = 1: the channel branch passes X on.
- tca: τ = 1: the channel gate has no temperature.
- msce: all scales are ablated: A_s follows from the directional map alone.
- dii: B_dir is the same everywhere, and the bias of the fusion takes it up: A_s follows from the scales alone.
- dff: G = 1/2: both branches count alike.
- aa: α = 1: Y = X_out.
"""


class DMSCAWithout(DMSCA):
    """DMSCA with one part held where it does nothing; it computes the function that DMSCA without the part computes.

    The part's parameters are there, at zero, and do not train. So all other parameters start as DMSCA's do from the
    same random state, and the fast form serves.

    Args:
        in_channels: C of the input, at least 1.
        without: a key of ``PARTS``.
        **arguments: DMSCA's; ``init='identity'``, whose gates are neutral where their logits are 0.

    Shapes:
        those of DMSCA.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; ``init='paper'``.
    """

    def __init__(self, in_channels: int, without: str, **arguments: Any) -> None:
        self.without = checks.one_of('without', without, tuple(PARTS))
        checks.one_of('init', arguments.get('init', 'identity'), ('identity',))
        super().__init__(in_channels, **arguments)

    def init_weights(self) -> None:
        """Restore the initialization that the constructor gave, the part held."""
        super().init_weights()
        for parameter in self.get_submodule(PARTS[self.without]).parameters():
            nn.init.zeros_(parameter.requires_grad_(False))
