"""Predictions for the first test images, next to the annotations."""
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
from ..attention_maps import maps
from ..attention_maps.figures import total_figure
from ..attention_maps.prediction import Model, load_image
from ..inference import data_set
from ..plotting import rendered


@dataclass(frozen=True)
class Example:
    """Pictures of one test image.

    Attributes:
        path: path of the image.
        truth: the annotations; None if the pipeline of the data set loads none.
        prediction: the predictions.
        maps: the mean factors of the last DMSCA module of each stage; empty for a model without DMSCA.
    """

    path: Path
    truth: Image.Image | None
    prediction: Image.Image
    maps: list[Image.Image]


def examples(model: Model, count: int) -> list[Example]:
    """Draw the first images of the test data.

    Args:
        model: a detector, segmenter or classifier.
        count: maximum number of images, at least 1.

    Raises:
        UsageError: the data are missing or cannot be read, or the model fails or predicts neither boxes nor classes.
    """
    config = model.config
    check_data(config, ('test_dataloader',), measured=False)
    try:
        dataset = data_set(config)
        found = []
        for place in range(min(count, len(dataset))):
            with torch.no_grad():
                sample, = model.model.test_step(pseudo_collate([dataset[place]]))
            found.append(_example(sample, model))
    except UsageError:
        raise
    except Exception as error:  # data sets, pipelines and models may be third-party code and fail in any way
        raise UsageError(f'the model could not be run on the test images: {type(error).__name__}: {error}') from error
    return found


def _example(sample: BaseDataElement, model: Model) -> Example:
    path = Path(sample.img_path)
    image = load_image(path)
    prediction, truth = (model.draw(image, sample, which) for which in ('pred', 'gt'))
    if prediction is None:
        raise UsageError('the model predicts neither boxes nor classes, and nothing else can be drawn')
    attentions = model.predict(path).attentions(maps.choose(maps.attentions(model.model)))
    return Example(path, truth, prediction, [rendered(total_figure(np.asarray(image), each)) for each in attentions])
