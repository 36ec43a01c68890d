"""DMSCA with one part ablated, to measure the effect of that part."""
from __future__ import annotations

from typing import Any

from torch import nn

from .. import checks
from .module import DMSCA

PARTS = {'gce': 'gce', 'tca': 'tca', 'msce': 'msce.convs', 'dii': 'dii', 'dff': 'dff', 'aa': 'aa'}
"""Maps the name of a part to the module that is frozen with all parameters at zero, where the part is neutral:

- gce: F = 0, so A_c = 1: the channel branch returns X.
- tca: τ = 1: the channel gate has no temperature.
- msce: all scales are ablated: A_s depends on the directional map only.
- dii: B_dir is constant and acts as a bias of the fusion: A_s depends on the scales only.
- dff: G = 1/2: both branches have the same weight.
- aa: α = 1: Y = X_out.
"""


class DMSCAWithout(DMSCA):
    """DMSCA with one part frozen at its neutral value. It computes the same function as DMSCA without that part.

    The part keeps its parameters, frozen at zero; what a checkpoint holds for them is not used. From the same random
    state, all other parameters therefore have the same initialization as in DMSCA, and the fast form is available.

    Args:
        in_channels: C of the input, at least 1.
        without: a key of ``PARTS``.
        **arguments: of DMSCA; ``init`` must be ``'identity'``, whose gates are neutral at a logit of 0.

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
        self.register_load_state_dict_post_hook(_ablate)

    def init_weights(self) -> None:
        """Restore the constructor's initialization, with the part frozen at zero."""
        super().init_weights()
        _ablate(self)


def _ablate(module: DMSCAWithout, *_: Any) -> None:
    """Freeze the part at zero, also after the state of a complete DMSCA has been loaded."""
    for parameter in module.get_submodule(PARTS[module.without]).parameters():
        nn.init.zeros_(parameter.requires_grad_(False))
