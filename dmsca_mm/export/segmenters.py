"""Segmenters as functions of images."""
from __future__ import annotations

import copy

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from .layers import Prepare, with_mean_pools


class Segmenter(nn.Module):
    """An encoder-decoder segmenter, such as UPerNet, for whole images.

    Args:
        model: an mmseg model.

    Raises:
        UsageError: the model is tested with sliding windows or padding, has one output for two classes, or a head with
            a post-processing of its own.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from mmseg.models.decode_heads.decode_head import BaseDecodeHead
        if model.test_cfg.mode != 'whole':
            raise UsageError(f'test_cfg.mode={model.test_cfg.mode!r} cannot be exported: a graph takes whole images; '
                             'give --cfg-options model.test_cfg.mode=whole')
        if padded := getattr(model.data_preprocessor, 'test_cfg', None):
            raise UsageError(f'data_preprocessor.test_cfg={dict(padded)} cannot be exported: a graph does not pad '
                             'images; give --cfg-options model.data_preprocessor.test_cfg=None')
        if type(model.decode_head).predict is not BaseDecodeHead.predict:
            raise UsageError(f'{type(model.decode_head).__name__} cannot be exported: it has a post-processing of its '
                             'own')
        if model.decode_head.out_channels == 1:
            raise UsageError('a decode head with out_channels=1 cannot be exported: give two output channels')
        self.prepare = Prepare(model.data_preprocessor)
        self.model = with_mean_pools(copy.deepcopy(model))

    def forward(self, images: Tensor) -> Tensor:
        """Map images, (N, 3, H, W), 0 to 255, to the label of each pixel, (N, H, W)."""
        head = self.model.decode_head
        logits = head(self.model.extract_feat(self.prepare(images)))
        logits = F.interpolate(logits, images.shape[2:], mode='bilinear', align_corners=head.align_corners)
        return logits.argmax(1)
