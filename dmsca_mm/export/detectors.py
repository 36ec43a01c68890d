"""Detectors as functions of a batch of images that use no lists, so that they can be exported as a graph.

The results are those of mmdet's own post-processing, up to the order of boxes with equal scores. If it keeps fewer
boxes than its maximum, the result is padded with rows whose score is 0 and whose label is -1.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from . import operators  # noqa: F401  # registers keep and region_features
from .layers import Prepare

NONE = -1.0
"""Score that marks a missing box, below all other scores."""
NEUTRAL = dict(class_agnostic=False, score_threshold=0, max_num=-1, offset=0)
"""Settings of mmcv's nms that have no effect with these values and cannot be exported with others."""


class Boxes(NamedTuple):
    """Boxes of each image: corners (N, K, 4) in pixels, scores (N, K), labels (N, K)."""

    corners: Tensor
    scores: Tensor
    labels: Tensor


class OneStage(nn.Module):
    """A detector with an anchor head, such as RetinaNet.

    Args:
        model: an mmdet model.

    Raises:
        UsageError: its head has its own post-processing, or its test settings cannot be exported.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
        _check_head(model.bbox_head, BaseDenseHead)
        self.prepare, self.model = Prepare(model.data_preprocessor), model

    def forward(self, images: Tensor) -> Boxes:
        """Map images, (N, 3, H, W), 0 to 255, to boxes in their pixels."""
        model, config = self.model, self.model.test_cfg
        found = _dense(model.bbox_head, model.extract_feat(self.prepare(images)), config, images.shape[2:],
                       config.get('score_thr', 0))
        return _chosen(found, config.nms.iou_threshold, config.max_per_img)


class TwoStage(nn.Module):
    """A detector with a region proposal network and one box head, such as Faster R-CNN.

    Args:
        model: an mmdet model.

    Raises:
        UsageError: it has masks, several stages, a head with its own post-processing, or other unsupported settings.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from mmcv.ops import RoIAlign
        from mmdet.models.dense_heads import RPNHead
        from mmdet.models.roi_heads import StandardRoIHead
        from mmdet.models.roi_heads.bbox_heads import BBoxHead
        from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
        _check_head(model.rpn_head, RPNHead)
        head = model.roi_head
        if type(head) is not StandardRoIHead or head.with_mask or head.with_shared_head:
            raise UsageError(f'{type(head).__name__} with its parts cannot be exported: only box heads of one stage, '
                             'StandardRoIHead without masks, have been tried')
        if type(head.bbox_head)._predict_by_feat_single is not BBoxHead._predict_by_feat_single:
            raise UsageError(f'{type(head.bbox_head).__name__} cannot be exported: it has a post-processing of its own')
        _check_loss(head.bbox_head)
        _check_suppression(model.test_cfg.rcnn)
        extractor = head.bbox_roi_extractor
        layer = extractor.roi_layers[0]
        if type(extractor) is not SingleRoIExtractor or type(layer) is not RoIAlign:
            raise UsageError(f'{type(extractor).__name__} with {type(layer).__name__} cannot be exported: '
                             'SingleRoIExtractor with RoIAlign can')
        if (layer.pool_mode, layer.aligned) != ('avg', True):
            raise UsageError(f'{type(layer).__name__} with pool_mode={layer.pool_mode!r}, aligned={layer.aligned} '
                             "cannot be exported: RoIAlign with 'avg', True can")
        self.prepare, self.model = Prepare(model.data_preprocessor), model

    def forward(self, images: Tensor) -> Boxes:
        """Map images, (N, 3, H, W), 0 to 255, to boxes in their pixels."""
        size, features = images.shape[2:], self.model.extract_feat(self.prepare(images))
        return self._classified(features, self._proposals(features, size), size)

    def _proposals(self, features: tuple[Tensor, ...], size: tuple[int, int]) -> Boxes:
        config = self.model.test_cfg.rpn
        found = _dense(self.model.rpn_head, features, config, size, NONE, label_is_level=True)
        return _chosen(found, config.nms.iou_threshold, config.max_per_img)

    def _classified(self, features: tuple[Tensor, ...], proposals: Boxes, size: tuple[int, int]) -> Boxes:
        head, config = self.model.roi_head, self.model.test_cfg.rcnn
        images, count = proposals.scores.shape
        image = torch.arange(images, device=proposals.corners.device).to(proposals.corners)
        regions = torch.cat([image[:, None].expand(images, count).reshape(-1, 1), proposals.corners.reshape(-1, 4)], 1)
        extractor = head.bbox_roi_extractor
        used, layer = features[:extractor.num_inputs], extractor.roi_layers[0]
        levels = extractor.map_roi_levels(regions, extractor.num_inputs)
        scores, deltas = head.bbox_head(torch.ops.dmsca_mm.region_features(
            used, regions, levels, extractor.featmap_strides, layer.output_size[0], layer.sampling_ratio))
        scores = scores.softmax(-1)[:, :-1].reshape(images, count, -1)
        classes = scores.shape[2]
        own = classes if not head.bbox_head.reg_class_agnostic else 1
        corners = head.bbox_head.bbox_coder.decode(
            regions[:, 1:].repeat_interleave(own, dim=0), deltas.reshape(-1, 4), max_shape=size)
        corners = corners.reshape(images, count, own, 4).expand(images, count, classes, 4).reshape(images, -1, 4)
        sure = (scores > config.score_thr) & (proposals.labels >= 0)[..., None]
        labels = torch.arange(classes, device=scores.device).expand(images, count, classes).reshape(images, -1)
        found = Boxes(corners, torch.where(sure, scores, NONE).reshape(images, -1), labels)
        return _chosen(found, config.nms.iou_threshold, config.max_per_img)


def _check_head(head: nn.Module, base: type) -> None:
    from mmdet.models.dense_heads import AnchorHead
    # A head with more outputs than scores and boxes, such as centerness, overrides forward.
    if (getattr(type(head), 'forward', None) is not AnchorHead.forward or not head.use_sigmoid_cls
            or type(head)._predict_by_feat_single is not base._predict_by_feat_single):
        raise UsageError(f'{type(head).__name__} cannot be exported: it has a post-processing of its own')
    if head.test_cfg.get('nms_pre', -1) <= 0:
        raise UsageError(f'test_cfg.nms_pre={head.test_cfg.get("nms_pre", -1)} of {type(head).__name__} cannot be '
                         'exported: give the number of candidates of a level, such as 1000')
    _check_loss(head)
    _check_suppression(head.test_cfg)


def _check_loss(head: nn.Module) -> None:
    if getattr(head.loss_cls, 'custom_cls_channels', False):  # mmdet's mark of a loss that computes the scores itself
        raise UsageError(f'loss_cls={type(head.loss_cls).__name__} of {type(head).__name__} cannot be exported: it '
                         'computes scores of its own; a model trained with CrossEntropyLoss or FocalLoss can be')


def _check_suppression(config: Any) -> None:
    if config.max_per_img <= 0:
        raise UsageError(f'max_per_img={config.max_per_img} cannot be exported: give the most boxes of an image')
    nms = config.nms
    if nms.get('type', 'nms') != 'nms':
        raise UsageError(f'nms of type {nms.type!r} cannot be exported: ONNX has only type "nms"')
    for name, value in nms.items():
        # split_thr saves memory and changes no result.
        if name not in ('type', 'iou_threshold', 'split_thr') and value != NEUTRAL.get(name):
            raise UsageError(f'nms.{name}={value!r} in test_cfg cannot be exported, only iou_threshold can: '
                             f'remove {name}')


def _dense(head: nn.Module, features: tuple[Tensor, ...], config: Any, size: tuple[int, int], least: float,
           label_is_level: bool = False) -> Boxes:
    """Return the best ``config.nms_pre`` boxes of each level, concatenated. Missing boxes have the score ``NONE``.

    Args:
        head: head with anchors.
        features: inputs of the head.
        config: test settings of the head.
        size: height and width of the images.
        least: boxes must have a score above this.
        label_is_level: use the level as label, for a head with one class whose boxes are suppressed by level.
    """
    levels = list(zip(*head(features), strict=True))
    priors = head.prior_generator.grid_priors([score.shape[2:] for score, _ in levels], levels[0][0].dtype,
                                              levels[0][0].device)
    found, classes = [], head.cls_out_channels
    for level, ((score, delta), prior) in enumerate(zip(levels, priors, strict=True)):
        scores = score.permute(0, 2, 3, 1).flatten(1).sigmoid()
        scores = torch.where(scores > least, scores, NONE)
        # Pad, so that the number of boxes does not depend on the size of the images.
        best, places = F.pad(scores, (0, config.nms_pre), value=NONE).topk(config.nms_pre)
        anchors = (places // classes).clamp(max=prior.shape[0] - 1)
        deltas = delta.permute(0, 2, 3, 1).reshape(delta.shape[0], -1, 4)
        deltas = deltas.gather(1, anchors[..., None].expand(-1, -1, 4))
        corners = head.bbox_coder.decode(prior[anchors].reshape(-1, 4), deltas.reshape(-1, 4), max_shape=size)
        labels = torch.full_like(places, level) if label_is_level else places % classes
        found.append(Boxes(corners.reshape(best.shape[0], -1, 4), best, labels))
    boxes = Boxes(*(torch.cat(parts, 1) for parts in zip(*found, strict=True)))
    if config.get('min_bbox_size', -1) < 0:
        return boxes
    sides = boxes.corners[..., 2:] - boxes.corners[..., :2]
    return boxes._replace(scores=torch.where((sides > config.min_bbox_size).all(-1), boxes.scores, NONE))


def _chosen(boxes: Boxes, overlap: float, count: int) -> Boxes:
    """Return the best boxes after suppression within each label.

    Args:
        boxes: candidates; a score below 0 marks a missing box.
        overlap: IoU above which one of two boxes is dropped.
        count: number of boxes in the result.
    """
    # Boxes of different labels are moved apart, as in mmcv's batched_nms.
    step = boxes.corners.amax((1, 2), keepdim=True) + 1
    apart = boxes.corners + boxes.labels[..., None].to(step) * step
    scores = torch.where(torch.ops.dmsca_mm.keep(apart, boxes.scores, overlap), boxes.scores, NONE)
    best, places = F.pad(scores, (0, count), value=NONE).topk(count)
    is_box, places = best >= 0, places.clamp(max=scores.shape[1] - 1)
    corners = boxes.corners.gather(1, places[..., None].expand(-1, -1, 4))
    return Boxes(torch.where(is_box[..., None], corners, 0.0), torch.where(is_box, best, 0.0),
                 torch.where(is_box, boxes.labels.gather(1, places), -1))
