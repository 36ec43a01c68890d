"""Operators that detectors need beyond PyTorch's, each one node of the graph: suppression and region features.

In PyTorch, a node runs mmcv's operator. ``TRANSLATIONS`` gives torch.onnx the equivalent in standard ONNX.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor

INT64, BOOL = 7, 9
"""ONNX's codes for these types."""
ALL = torch.iinfo(torch.int32).max


@torch.library.custom_op('dmsca_mm::keep', mutates_args=())
def keep(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Select the boxes of each image that non-maximum suppression keeps.

    Args:
        boxes: (N, K, 4), two corners.
        scores: (N, K); a score below 0 marks a missing box.
        overlap: IoU of two boxes above which the one with the lower score is dropped.

    Returns:
        Mask of the kept boxes, (N, K), bool.
    """
    from mmcv.ops import nms
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for image, (own, score) in enumerate(zip(boxes, scores, strict=True)):
        some = (score >= 0).nonzero().flatten()
        if len(some):
            kept[image, some[nms(own[some], score[some], overlap)[1]]] = True
    return kept


@torch.library.custom_op('dmsca_mm::region_features', mutates_args=())
def region_features(features: Sequence[Tensor], regions: Tensor, levels: Tensor, strides: Sequence[int], side: int,
                    samples: int) -> Tensor:
    """Apply RoIAlign, aligned and with average pooling, to each region on its level of a pyramid.

    Args:
        features: features of each level, (N, C, H, W).
        regions: (R, 5), index of the image and two corners in its pixels.
        levels: (R,), level of each region.
        strides: stride of each level, in pixels of the image.
        side: height and width of the result.
        samples: samples of a bin along each axis; 0 for as many as it has pixels.

    Returns:
        (R, C, side, side).
    """
    from mmcv.ops import roi_align
    out = features[0].new_zeros(len(regions), features[0].shape[1], side, side)
    for level, (own, stride) in enumerate(zip(features, strides, strict=True)):
        here = (levels == level).nonzero().flatten()
        if len(here):
            out[here] = roi_align(own, regions[here], (side, side), 1 / stride, samples, 'avg', True)
    return out


@keep.register_fake
def _keep_fake(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


@region_features.register_fake
def _region_features_fake(features: Sequence[Tensor], regions: Tensor, levels: Tensor, strides: Sequence[int],
                          side: int, samples: int) -> Tensor:
    return features[0].new_empty(regions.shape[0], features[0].shape[1], side, side)


def _ints(*values: int) -> Any:
    return op.Constant(value_ints=list(values))


def _keep_onnx(boxes: Any, scores: Any, overlap: float) -> Any:
    chosen = op.NonMaxSuppression(boxes, op.Unsqueeze(scores, _ints(1)), _ints(ALL),
                                  op.Constant(value_floats=[overlap]), op.Constant(value_floats=[0.0]))
    places = op.Gather(chosen, _ints(0, 2), axis=1)  # image and box; there is only one class
    ones = op.Expand(_ints(1), op.Gather(op.Shape(places), _ints(0)))
    return op.Cast(op.ScatterND(op.Expand(_ints(0), op.Shape(scores)), places, ones), to=BOOL)


def _region_features_onnx(features: Sequence[Any], regions: Any, levels: Any, strides: Sequence[int], side: int,
                          samples: int) -> Any:
    images = op.Cast(op.Squeeze(op.Slice(regions, _ints(0), _ints(1), _ints(1)), _ints(1)), to=INT64)
    corners = op.Slice(regions, _ints(1), _ints(5), _ints(1))
    shape = op.Concat(op.Shape(levels), op.Slice(op.Shape(features[0]), _ints(1), _ints(2)), _ints(side, side), axis=0)
    out = op.Expand(op.Constant(value_float=0.0), shape)
    for level, (own, stride) in enumerate(zip(features, strides, strict=True)):
        here = op.Squeeze(op.NonZero(op.Equal(levels, _ints(level))), _ints(0))
        found = op.RoiAlign(own, op.Gather(corners, here), op.Gather(images, here), mode='avg', output_height=side,
                            output_width=side, sampling_ratio=samples, spatial_scale=1 / stride,
                            coordinate_transformation_mode='half_pixel')
        out = op.ScatterND(out, op.Unsqueeze(here, _ints(1)), found)
    return out


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.dmsca_mm.keep.default: _keep_onnx,
    torch.ops.dmsca_mm.region_features.default: _region_features_onnx,
}
