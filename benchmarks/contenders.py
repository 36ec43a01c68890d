"""Attentions to compare, each on a feature map or after every block of a ResNet."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from dmsca_mm.attention import DMSCA, PEERS
from dmsca_mm.errors import UsageError


class Copy(nn.Module):
    """The cheapest module that writes a feature map: one read, one write."""

    def forward(self, x: Tensor) -> Tensor:
        """Copy X to new memory."""
        return x.clone()


@dataclass(frozen=True)
class Contender:
    """An attention to compare.

    Attributes:
        label: its name in tables and pictures.
        cfg: the plugin's config without ``in_channels``; None for the plain network.
        compiled: whether ``torch.compile`` compiles it, by default on a GPU only; the rest of the network is eager.
        kernels: whether DMSCA uses its native kernels where available.
    """

    label: str
    cfg: dict[str, Any] | None
    compiled: bool = False
    kernels: bool = True

    def operator(self, channels: int) -> nn.Module:
        """Build the attention for maps of this many channels; a copy of X for the plain network."""
        import mmcv.cnn  # noqa: F401  # registers mmcv's attentions
        return Copy() if self.cfg is None else MODELS.build(dict(self.cfg, in_channels=channels))

    def backbone(self, depth: int = 50) -> nn.Module:
        """Build mmdet's ResNet with the attention after every block's last norm; batch norms train."""
        plugins = self.cfg and [dict(cfg=self.cfg, stages=(True,) * 4, position='after_conv3')]
        return MODELS.build(dict(type='PluginResNet', base='mmdet.ResNet', depth=depth, plugins=plugins,
                                 norm_eval=False))

    @contextmanager
    def kernels_switched(self) -> Iterator[None]:
        """Context for forward and backward that sets DMSCA_KERNELS, which DMSCA reads at each call."""
        with patch.dict(os.environ, {} if self.kernels else {'DMSCA_KERNELS': '0'}):
            yield

    def compile(self, model: nn.Module) -> None:
        """Compile the attentions in a model if ``compiled``."""
        if self.compiled:
            # One forward is compiled for four shapes, in training and in inference.
            torch._dynamo.config.recompile_limit = 64
            for module in model.modules():
                if isinstance(module, DMSCA):
                    module.compile(dynamic=False)


CONTENDERS = {
    'plain': Contender('plain', None),
    **{peer.name: Contender(peer.label, dict(type=peer.operator)) for peer in PEERS},
    'context': Contender('ContextBlock', dict(type='ContextBlock', ratio=1 / 16)),
    # As in mmdet's configs/empirical_attention: one row of attention per head, linear in the pixels.
    'attention': Contender('GeneralizedAttention', dict(type='GeneralizedAttention', spatial_range=-1, num_heads=8,
                                                        attention_type='0010', kv_stride=2)),
    'literal': Contender('DMSCA literal', dict(type=DMSCA, form='literal')),
    'fast': Contender('DMSCA fast', dict(type=DMSCA)),
    'no-kernels': Contender('DMSCA fast, no kernels', dict(type=DMSCA), kernels=False),
    'literal-compiled': Contender('DMSCA literal compiled', dict(type=DMSCA, form='literal'), compiled=True),
}


def chosen(names: list[str] | None, device: str) -> list[Contender]:
    """Return the contenders with these names, starting with the plain one, the baseline.

    Args:
        names: None for all; compiled contenders only on CUDA.
        device: ``'cpu'`` or ``'cuda'``.

    Raises:
        UsageError: an unknown name.
    """
    if names is None:
        return [contender for contender in CONTENDERS.values() if device == 'cuda' or not contender.compiled]
    for name in names:
        if name not in CONTENDERS:
            raise UsageError(f'unknown contender {name!r}: choose from {", ".join(CONTENDERS)}')
    return [contender for name, contender in CONTENDERS.items() if name in names or name == 'plain']
