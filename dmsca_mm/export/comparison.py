"""Compare the results of an ONNX file with those of the PyTorch model on images."""
from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UsageError
from .graph import INPUT

LEAST_IOU, MOST_SCORE, LEAST_PIXELS = 0.99, 1e-3, 0.999
"""Limits of agreement: IoU of two boxes, difference of their scores, and share of equal pixels."""


@dataclass
class Agreement:
    """Result of a comparison on some images.

    Attributes:
        images: number of images.
        boxes: number of matching boxes of a detector; 0 for a segmenter.
        iou: the smallest IoU of two matching boxes.
        score: the largest difference of their scores.
        pixels: the smallest share of equal labels in an image.
    """

    images: int = 0
    boxes: int = 0
    iou: float = 1.0
    score: float = 0.0
    pixels: float = 1.0

    def __str__(self) -> str:
        if self.boxes:
            return (f'{self.boxes} boxes on {self.images} images: the least IoU {self.iou:.4f}, the largest '
                    f'difference of scores {self.score:.1e}')
        return f'{self.images} images: {100 * self.pixels:.3f} % of the pixels at least'


def compare(path: Path, model: nn.Module, batches: list[dict[str, Any]]) -> Agreement:
    """Run the file in onnxruntime and the model in PyTorch, and compare the results.

    Args:
        path: path of the file.
        model: the exported model, with its own post-processing.
        batches: results of ``Images.batch``, one image each.

    Raises:
        UsageError: the results do not agree, or there is no box to compare.
    """
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    found = Agreement()
    for batch in batches:
        values = [torch.from_numpy(value) for value in session.run(None, {INPUT: as_input(batch)})]
        data = model.data_preprocessor(deepcopy(batch), False)
        options = dict(rescale=False)
        if len(values) == 1:  # mmseg always resizes labels to the original image size
            options = {}
            for sample in data['data_samples']:
                sample.set_metainfo(dict(ori_shape=sample.img_shape))
        with torch.inference_mode():
            result = model.predict(data['inputs'], data['data_samples'], **options)[0]
        found.images += 1
        if len(values) == 1:
            same = (values[0][0] == result.pred_sem_seg.data[0].cpu()).double().mean().item()
            found.pixels = min(found.pixels, same)
        else:
            head = model.roi_head if hasattr(model, 'roi_head') else model.bbox_head
            _compare_boxes(found, *(value[0] for value in values), result.pred_instances.cpu(), head.test_cfg)
    if found.pixels < LEAST_PIXELS:
        raise UsageError(f'the file and the model disagree: {found.pixels:.4f} of the pixels of an image have the same '
                         f'label, {LEAST_PIXELS} should')
    if not found.boxes and len(values) > 1:
        raise UsageError(f'the model finds nothing on {found.images} images, so nothing could be compared: give '
                         '--images on which it finds something')
    return found


def as_input(batch: dict[str, Any]) -> np.ndarray:
    """Convert the images of a batch to the input of the file.

    Args:
        batch: result of ``Images.batch``, with images of one size.
    """
    return torch.stack([image.float() for image in batch['inputs']]).numpy()


def _compare_boxes(found: Agreement, boxes: Tensor, scores: Tensor, labels: Tensor, expected: Any, settings: Any
                   ) -> None:
    """Match each box of either side with a box of the other that has the same label.

    A side may lack boxes near ``score_thr`` or, if it has ``max_per_img`` boxes, near its lowest score.

    Raises:
        UsageError: any other box has no match.
    """
    from mmdet.structures.bbox import bbox_overlaps
    some = labels >= 0
    boxes, scores, labels = boxes[some], scores[some], labels[some]
    for one, other in (((boxes, scores, labels), (expected.bboxes, expected.scores, expected.labels)),
                       ((expected.bboxes, expected.scores, expected.labels), (boxes, scores, labels))):
        overlaps = bbox_overlaps(one[0], other[0])
        near = (one[1][:, None] - other[1]).abs()
        fits = (overlaps >= LEAST_IOU) & (near <= MOST_SCORE) & (one[2][:, None] == other[2])
        edge = other[1].min() if len(other[1]) >= settings.max_per_img else settings.get('score_thr', 0)
        lost = ~fits.any(1) & (one[1] > edge + MOST_SCORE)
        if lost.any():
            place = int(lost.nonzero()[0])
            corners = one[0][place].round().int().tolist()
            raise UsageError(f'the file and the model disagree: the box {corners} of class '
                             f'{int(one[2][place])} with the score {one[1][place]:.3f} is found by only one of them')
        if len(other[0]):
            best, matched = torch.where(fits, overlaps, 0.0).max(1), fits.any(1)
            found.iou = min([found.iou, *best.values[matched].tolist()])
            found.score = max([found.score, *near[matched, best.indices[matched]].tolist()])
    found.boxes += int(matched.sum()) if len(boxes) and len(expected.scores) else 0
