"""Grad-CAM of the predictions of a detector, segmenter or classifier."""
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
        model: name of the model.
        picture: the image with the predictions drawn on it.
        maps: map of each stage, (H, W), at least 0, NaN where the model does not see the image.
        note: what is explained if it differs from the picture, or why nothing is explained; otherwise empty.
    """

    model: str
    picture: Image.Image
    maps: dict[int, np.ndarray]
    note: str = ''


def grad_cam(model: nn.Module, place: Place, score: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Compute where a block's features raise a score, (N, h, w), at least 0.

    Args:
        model: model that contains the block.
        place: place of the block.
        score: differentiable function from the images to the scores to explain, (N,).
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
    # Features of frozen stages have a gradient only if the images require one.
    inputs = inputs.detach().requires_grad_()
    cam = LayerGradCam(score, model.get_submodule(place.name)).attribute(inputs, relu_attributions=True)
    return cam.detach().squeeze(1)


def score_of_boxes(model: nn.Module, samples: list[Any]) -> Callable[[Tensor], Tensor]:
    """Return a function that computes the sum of a detector's scores of at least ``SCORE``, or else its highest score.

    Args:
        model: the detector.
        samples: data samples of the images, from their pipeline.
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
    """Return a function that sums the probability of the predicted class of a segmenter over pixels.

    Pixels of a class named background are excluded, unless all pixels are background.

    Args:
        model: the segmenter.
        samples: data samples of the images, from their pipeline.
        classes: class names by label.
    """
    def score(inputs: Tensor) -> Tensor:
        logits = model.encode_decode(inputs, [sample.metainfo for sample in samples])
        if logits.shape[1] > 1:
            best, label = logits.softmax(1).max(1)
        else:  # of two classes; mmseg predicts the second if its probability exceeds the head's threshold
            second = logits.sigmoid().squeeze(1)
            label = (second > model.decode_head.threshold).long()
            best = torch.where(label == 1, second, 1 - second)
        is_object = label != classes.index('background') if 'background' in classes else torch.ones_like(label).bool()
        return (best[is_object] if is_object.any() else best).sum()[None]
    return score


def score_of_image(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a function that computes the probability of the class that a classifier predicts.

    Args:
        model: the classifier.
    """
    return lambda inputs: model(inputs, mode='tensor').softmax(1).max(1).values


