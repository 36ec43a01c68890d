"""Draw predictions and annotations with the visualizers of mmdet, mmseg and mmpretrain.

Every image is first scaled to one size, so that the labels on small images are readable.
"""
from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.registry import VISUALIZERS
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from PIL import Image, ImageOps
from torch.nn import functional

SIDE = 480
"""Longer side of a picture in pixels."""
SCORE = 0.3
"""Boxes above this score are drawn."""
_SPARE = [tuple(colour) for colour in np.random.default_rng(0).integers(0, 256, (2000, 3)).tolist()]
"""Colours of classes that a palette lacks."""


def draw(image: Image.Image, sample: BaseDataElement, which: str, classes: Sequence[str] = (),
         palette: Sequence[Sequence[int]] = (), ignored: Sequence[int] = ()) -> Image.Image | None:
    """Draw the content of a data sample on its image: boxes, a label map or a label.

    Args:
        image: RGB.
        sample: data sample of mmdet, mmseg or mmpretrain, on the CPU, in pixels of the image.
        which: ``'pred'`` for the predictions, ``'gt'`` for the annotations.
        classes: class names by label.
        palette: RGB colours, 0 to 255, by label; it may be shorter than ``classes``.
        ignored: labels of a label map that get no colour; mmseg's visualizer darkens their pixels.

    Returns:
        The picture, or None if the sample holds nothing to draw.
    """
    pixels = np.asarray(ImageOps.contain(image, (SIDE, SIDE), Image.Resampling.BICUBIC))
    chosen = dict(draw_gt=which == 'gt', draw_pred=which == 'pred')
    colours = [*map(tuple, palette), *_SPARE]
    instances, labels = sample.get(f'{which}_instances'), sample.get(f'{which}_sem_seg')
    if sample.get(f'{which}_label') is not None:
        visualizer = VISUALIZERS.get('mmpretrain.UniversalVisualizer')('label')
        visualizer.visualize_cls(pixels, sample, tuple(classes) or None, **chosen)
    elif labels is not None:
        visualizer = VISUALIZERS.get('mmseg.SegLocalVisualizer')('label map', alpha=0.7)
        visualizer.dataset_meta = dict(classes=classes, palette=colours)
        data = labels.data.masked_fill(torch.isin(labels.data, torch.tensor(ignored)), len(classes))
        scaled = PixelData(data=functional.interpolate(data[None].float(), pixels.shape[:2])[0].long())
        visualizer.add_datasample('', pixels, type(sample)(**{f'{which}_sem_seg': scaled}), **chosen)
    elif instances is not None and 'bboxes' in instances:
        visualizer = VISUALIZERS.get('mmdet.DetLocalVisualizer')('boxes')
        visualizer.dataset_meta = dict(palette=colours)
        boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)  # mmdet may wrap boxes in its own type
        names = [classes[label] if label < len(classes) else str(label) for label in instances.labels.tolist()]
        scaled = InstanceData(bboxes=boxes * (SIDE / max(image.size)), labels=instances.labels, label_names=names)
        if 'scores' in instances:
            scaled.scores = instances.scores
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about boxes that reach the border
            visualizer.add_datasample('', pixels, type(sample)(**{f'{which}_instances': scaled}),
                                      pred_score_thr=SCORE, **chosen)
    else:
        return None
    return Image.fromarray(visualizer.get_image())
