"""What the trained model says of the first images that it is tested on, beside the truth."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement
from PIL import Image, ImageOps

from ...errors import UsageError
from ...insight.draw import picture, total_figure
from ...insight.maps import attentions as places
from ...insight.maps import choose
from ...insight.predictions import IGNORED, Colour, colour, draw_boxes, draw_classes
from .. import images
from ..preflight.data import check_data
from ..showing import SCORE, Model


@dataclass(frozen=True)
class Example:
    """One image.

    Attributes:
        path: of the image.
        truth: the picture of what the data set says; None where its pipeline loads no annotations.
        prediction: the picture of what the model says.
        legend: names and colours of the classes in the pictures; empty where the pictures name them.
        maps: what the last DMSCA module of each stage did to the features; empty for a model without.
    """

    path: Path
    truth: Image.Image | None
    prediction: Image.Image
    legend: list[tuple[str, Colour]]
    maps: list[Image.Image]


def examples(model: Model, count: int) -> list[Example]:
    """The first images of the test data.

    Args:
        model: a detector or segmenter.
        count: how many images, at least 1; fewer where the data has fewer.

    Raises:
        UsageError: the data is not there or cannot be read, or the model gives neither boxes nor classes of pixels.
    """
    config = model.config
    check_data(config, ('test_dataloader',))
    images.install(config, skip=False)
    try:
        dataset = DATASETS.build(config.test_dataloader.dataset)
        found = []
        for place in range(min(count, len(dataset))):
            with torch.no_grad():
                sample, = model.model.test_step(pseudo_collate([dataset[place]]))
            found.append(_example(sample.cpu(), model, dataset.metainfo.get('palette') or ()))
    except UsageError:
        raise
    except Exception as error:  # data sets, pipelines and models may be anybody's code: they may fail in any way
        raise UsageError(f'the model could not be run on the test images: {type(error).__name__}: {error}') from error
    return found


def _example(sample: BaseDataElement, model: Model, palette: Sequence[Sequence[int]]) -> Example:
    path, classes = Path(sample.img_path), model.classes
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert('RGB')  # as OpenCV turns it
    attentions = model.take(path).attentions(choose(places(model.model)))
    maps = [picture(total_figure(np.asarray(image), attention)) for attention in attentions]
    if 'pred_instances' in sample:
        found, truth = sample.pred_instances, sample.get('gt_instances')
        found = found[found.scores >= SCORE]
        known = truth is not None and 'bboxes' in truth
        return Example(path, _boxes(image, truth, classes) if known else None, _boxes(image, found, classes), [], maps)
    if 'pred_sem_seg' in sample:
        both = [sample.get(name) for name in ('gt_sem_seg', 'pred_sem_seg')]
        labels = [None if one is None else one.data.squeeze(0).numpy() for one in both]
        seen = np.unique(np.concatenate([one.ravel() for one in labels if one is not None]))
        legend = [(_name(int(label), classes), colour(int(label), palette)) for label in seen if label != IGNORED]
        truth, prediction = (None if one is None else draw_classes(image, one, palette) for one in labels)
        return Example(path, truth, prediction, legend, maps)
    raise UsageError('the model gives neither boxes nor a class for each pixel: there is no picture of that')


def _boxes(image: Image.Image, instances: BaseDataElement, classes: tuple[str, ...]) -> Image.Image:
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)  # mmdet has boxes of its own kind
    labels = instances.labels.tolist()
    scores = [f': {score:.2f}' for score in instances.scores] if 'scores' in instances else [''] * len(labels)
    texts = [_name(label, classes) + score for label, score in zip(labels, scores, strict=True)]
    return draw_boxes(image, boxes.numpy(), labels, texts)


def _name(label: int, classes: tuple[str, ...]) -> str:
    return classes[label] if label < len(classes) else str(label)
