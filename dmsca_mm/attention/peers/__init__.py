"""The attentions that DMSCA is compared with, each as its paper's equations define it, under DMSCA's interface.

To add one, write its file here, with a subclass of :class:`~.base.GatedAttention`, import the class below and give it
a line in ``PEERS``. The registry, plugin names, the benchmarks' contenders and the study's rows are made of that table.
Test its formula in tests/attention/peers/test_FILE.py; test_base.py tests the interface of every peer of the table.

The equations carry no biases, so the layers have none; SE's paper found that dropping them helps. The papers leave the
initialization of the layers open. Here it is a choice, as in DMSCA:

- ``init='identity'`` departs from the papers' form in one thing: every gate ranges over (0, 2) instead of (0, 1), and
  the layer before it is initialized to zero, so that the gate is 1 and Y = X bit for bit. Safe inside a pretrained
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
    """A peer and what it is called.

    Attributes:
        name: in ``--plugin`` and ``--contenders``; the class's ``_abbr_``, by which a ResNet names the module.
        label: in tables and pictures.
        operator: the class; a config names it by ``type``.
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
"""In the order of tables and pictures."""
