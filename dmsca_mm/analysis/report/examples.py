"""What the trained model says of the first images that it is tested on, beside the truth."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import BaseDataElement
from PIL import Image

from ...errors import UsageError
from ...preflight.data import check_data
from ..attention_maps.figures import drawn, total_figure
from ..attention_maps.maps import attentions as places
from ..attention_maps.maps import choose
from ..attention_maps.showing import Model, picture
from ..inference import data_set
from ..predictions import Colour


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
        model: a detector, segmenter or classifier.
        count: how many images, at least 1; fewer where the data has fewer.

    Raises:
        UsageError: the data is not there or cannot be read, or the model gives neither boxes nor classes.
    """
    config = model.config
    check_data(config, ('test_dataloader',), measured=False)
    try:
        dataset = data_set(config)
        found = []
        for place in range(min(count, len(dataset))):
            with torch.no_grad():
                sample, = model.model.test_step(pseudo_collate([dataset[place]]))
            found.append(_example(sample.cpu(), model))
    except UsageError:
        raise
    except Exception as error:  # data sets, pipelines and models may be anybody's code: they may fail in any way
        raise UsageError(f'the model could not be run on the test images: {type(error).__name__}: {error}') from error
    return found


def _example(sample: BaseDataElement, model: Model) -> Example:
    path = Path(sample.img_path)
    image = picture(path)
    prediction, truth = (model.shown(image, sample, which) for which in ('pred', 'gt'))
    if prediction is None:
        raise UsageError('the model gives neither boxes nor classes: there is no picture of that')
    attentions = model.take(path).attentions(choose(places(model.model)))
    maps = [drawn(total_figure(np.asarray(image), attention)) for attention in attentions]
    legend = dict.fromkeys([*prediction.legend, *(truth.legend if truth else ())])
    return Example(path, truth and truth.picture, prediction.picture, list(legend), maps)
