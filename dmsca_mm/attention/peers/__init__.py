"""The attention modules that DMSCA is compared with: each follows its paper's equations and has DMSCA's interface.

To add one, write its file here, with a subclass of :class:`~.base.GatedAttention`, import the class below and add it
to ``PEERS``. That table defines the registry, the plugin names and the contenders of ``benchmarks/cost.py``. Test
the formula in tests/attention/peers/test_FILE.py; test_base.py tests the interface of every peer in the table.

The equations have no biases, so the layers have none; SE's paper found that dropping them helps. The papers do not
specify the initialization of the layers. Here it is an argument, as in DMSCA:

- ``init='identity'`` differs from the papers' form: every gate ranges over (0, 2) instead of (0, 1), and the layer
  before it is initialized to zero, so that the gate is 1 and Y = X bit for bit. It is safe inside a pretrained
  network.
- ``init='paper'`` has gates in (0, 1) and Kaiming-normal convolutions (fan_out, relu), for training from scratch.
"""
from typing import NamedTuple

from .base import GatedAttention
from .cbam import CBAM
from .coordinate_attention import CoordinateAttention
from .eca import ECA
from .ela import ELA
from .ema import EMA
from .global_context import GlobalContext
from .scsa import SCSA
from .se import SE

__all__ = ['CBAM', 'ECA', 'ELA', 'EMA', 'PEERS', 'SCSA', 'SE', 'CoordinateAttention', 'GlobalContext', 'Peer']


class Peer(NamedTuple):
    """A peer and its names.

    Attributes:
        name: for ``--plugin`` and ``--contenders``; the class's ``_abbr_``, from which a ResNet names the module.
        label: for tables and figures.
        operator: the class, the ``type`` in a config.
    """

    name: str
    label: str
    operator: type[GatedAttention]


PEERS = (
    Peer('se', 'SE', SE),
    Peer('eca', 'ECA', ECA),
    Peer('ca', 'coordinate attention', CoordinateAttention),
    Peer('cbam', 'CBAM', CBAM),
    Peer('gc', 'GC', GlobalContext),
    Peer('ema', 'EMA', EMA),
    Peer('ela', 'ELA', ELA),
    Peer('scsa', 'SCSA', SCSA),
)
"""All peers, in the order of tables and figures."""
