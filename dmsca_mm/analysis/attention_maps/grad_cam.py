"""Grad-CAM of what a detector, segmenter or classifier predicts."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...compat.mmdet import attached_scores
from ...errors import UsageError
from ..drawing import SCORE
from .maps import Place


class Cam(NamedTuple):
    """Grad-CAM of one model for one image.

    Attributes:
        model: its name.
        picture: the image with the predictions drawn on it.
        maps: by stage, (H, W), at least 0.
        note: what is explained where that is not what the picture shows, or why nothing is; empty elsewhere.
    """

    model: str
    picture: Image.Image
    maps: dict[int, np.ndarray]
    note: str = ''


def grad_cam(model: nn.Module, place: Place, score: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Where a block's features raise a score, (N, h, w), at least 0.

    Args:
        model: holds the block.
        place: of the block.
        score: from the images to what is explained, (N,), differentiable.
        inputs: preprocessed images, (N, 3, H, W).

    Raises:
        UsageError: the package captum is missing.

    Source:
        Selvaraju et al. 2017, arXiv 1610.02391, as captum computes it.
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise UsageError('Grad-CAM needs the package captum: pip install captum') from None
    # Frozen stages have no gradient of their own; from the images it flows through them.
    inputs = inputs.detach().requires_grad_()
    cam = LayerGradCam(score, model.get_submodule(place.name)).attribute(inputs, relu_attributions=True)
    return cam.detach().squeeze(1)


def score_of_boxes(model: nn.Module, samples: list[Any]) -> Callable[[Tensor], Tensor]:
    """The sum of a detector's scores from ``SCORE``, or its highest score where none is as high.

    Args:
        model: the detector.
        samples: of the images, as their pipeline gives them.
    """
    def score(inputs: Tensor) -> Tensor:
        with attached_scores():
            scores = model.predict(inputs, samples)[0].pred_instances.scores
        if not scores.requires_grad:
            raise UsageError(f'Grad-CAM cannot be computed: {type(model).__name__} gives scores without a gradient')
        counted = scores[scores >= SCORE]
        return (counted if len(counted) else scores[:1]).sum()[None]
    return score


def score_of_pixels(model: nn.Module, samples: list[Any], classes: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """The sum over pixels of the probability of the class that a segmenter predicts.

    Pixels of a class named background are left out, unless all pixels are.

    Args:
        model: the segmenter.
        samples: of the images, as their pipeline gives them.
        classes: names, by label.
    """
    def score(inputs: Tensor) -> Tensor:
        best, label = model.encode_decode(inputs, [sample.metainfo for sample in samples]).softmax(1).max(1)
        is_object = label != classes.index('background') if 'background' in classes else torch.ones_like(label).bool()
        return (best[is_object] if is_object.any() else best).sum()[None]
    return score


def score_of_image(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The probability of the class that a classifier predicts.

    Args:
        model: the classifier.
    """
    return lambda inputs: model(inputs, mode='tensor').softmax(1).max(1).values


