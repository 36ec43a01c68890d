"""Predictions of a trained model for an image, and the maps that explain them."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...errors import ImageError, UsageError
from ...preflight import ignored_labels
from .. import drawing
from ..drawing import SCORE
from ..inference import Images, open_model
from ..view import View
from . import grad_cam, maps


class Model:
    """A trained model with its name, classes and test pipeline.

    Args:
        config: see :func:`inference.open_model`.
        weights: path of the checkpoint.
        options: entries that override the config's.
        plugin: see :func:`config.load_config`.
    """

    def __init__(self, config: str, weights: str, options: dict[str, Any] | None = None, plugin: str | None = None
                 ) -> None:
        self.name = Path(weights).parent.name or Path(config).stem
        self.config, self.model = open_model(config, weights, options, plugin)
        self.images = Images(self.config)
        self.classes: tuple[str, ...] = self.model.dataset_meta['classes']

    def predict(self, path: str | Path) -> Prediction:
        """Predict one image.

        Args:
            path: path of the file.

        Raises:
            ImageError: the file cannot be read.
        """
        return Prediction(self, self.images.batch([path]))

    def draw(self, image: Image.Image, sample: Any, which: str) -> Image.Image | None:
        """Draw a data sample on its image, see :func:`drawing.draw`.

        Args:
            image: RGB.
            sample: data sample with predictions or annotations.
            which: ``'pred'`` or ``'gt'``.
        """
        # A model may predict a class that its losses ignore.
        ignored = [label for label in ignored_labels(self.config) if which == 'gt' or label >= len(self.classes)]
        return drawing.draw(image, sample.cpu(), which, self.classes, self.model.dataset_meta['palette'], ignored)


class Prediction:
    """The prediction of a model for one image.

    Args:
        model: the model.
        batch: the image, from its pipeline.

    Attributes:
        sample: the predictions, as a data sample of the model's library.
        note: what Grad-CAM explains if it differs from the picture, or why it explains nothing; otherwise empty.
    """

    def __init__(self, model: Model, batch: dict[str, Any]) -> None:
        self.model = model
        prepared = model.model.data_preprocessor(batch, False)
        self.inputs: Tensor = prepared['inputs']
        self.samples: list[Any] = prepared['data_samples']
        with torch.no_grad():
            # Clone, because mmdet writes its predictions into the samples and Grad-CAM predicts again.
            self.sample = model.model.predict(self.inputs, [sample.clone() for sample in self.samples])[0]
        self.has_no_box = 'pred_instances' in self.sample and len(self.sample.pred_instances) == 0
        self.note = self._note()

    @cached_property
    def picture(self) -> Image.Image | None:
        """The image with the predictions drawn on it; None if they are of a kind that cannot be drawn."""
        return self.model.draw(load_image(self.sample.img_path), self.sample, 'pred')

    @cached_property
    def view(self) -> View:
        """The part of the image that the model sees."""
        return self.model.images.view(self.sample.img_path)

    def attentions(self, places: Sequence[maps.Place]) -> list[maps.Attention]:
        """Compute the maps of DMSCA modules.

        Args:
            places: places of the modules.

        Raises:
            UsageError: the model is tested in windows.
        """
        self._refuse_windows()
        found = []
        for place, shown in zip(places, maps.explain(self.model.model, places, self.inputs), strict=True):
            spatial, gate, activation, total = (
                self._on_image(values[0]) for values in (shown.spatial, shown.gate, shown.activation, shown.scale))
            ceiling = self.model.model.get_submodule(place.name).tca.scale
            found.append(maps.Attention(place, shown.channel[0].cpu().numpy(), spatial, gate, activation, total,
                                        shown.temperature, ceiling))
        return found

    def grad_cam(self, places: Sequence[maps.Place]) -> grad_cam.Cam:
        """Compute Grad-CAM of the predictions. It is zero everywhere if a detector predicts no box.

        Args:
            places: places of blocks, at most one in each stage.

        Raises:
            UsageError: the model is tested in windows, or predicts neither boxes nor classes.
        """
        self._refuse_windows()
        if self.picture is None:
            raise UsageError(f'Grad-CAM explains boxes or classes, and {type(self.model.model).__name__} predicts '
                             'neither')
        if self.has_no_box:
            found = {place.stage: np.zeros(self.view.size) for place in places}
        else:
            found = {place.stage: self._on_image(
                grad_cam.grad_cam(self.model.model, place, self._score(), self.inputs)[0]) for place in places}
        return grad_cam.Cam(self.model.name, self.picture, found, self.note)

    def _refuse_windows(self) -> None:
        """Refuse a segmenter whose predictions are averages over windows: no window has the maps of the image."""
        if (getattr(self.model.model, 'test_cfg', None) or {}).get('mode') == 'slide':
            raise UsageError("test_cfg.mode='slide' predicts windows, and the maps are those of whole images: give "
                             '--cfg-options model.test_cfg.mode=whole')

    def _on_image(self, values: Tensor) -> np.ndarray:
        return maps.on_image(values, tuple(self.inputs.shape[2:]), self.view).numpy()

    def _score(self) -> Callable[[Tensor], Tensor]:
        model = self.model.model
        if 'pred_label' in self.sample:
            return grad_cam.score_of_image(model)
        if 'pred_sem_seg' in self.sample:
            return grad_cam.score_of_pixels(model, self.samples, self.model.classes)
        return grad_cam.score_of_boxes(model, self.samples)

    def _note(self) -> str:
        if self.has_no_box:
            return 'finds nothing: there is no score to explain'
        if 'pred_instances' in self.sample and (best := self.sample.pred_instances.scores.max()) < SCORE:
            return f'finds nothing with a score of {SCORE} or above: its best, {best:.2f}, is explained'
        if 'pred_sem_seg' in self.sample and 'background' in self.model.classes and (
                self.sample.pred_sem_seg.data == self.model.classes.index('background')).all():
            return 'finds only background, which is explained'
        return ''


def number_equal_names(models: Sequence[Model]) -> None:
    """Number the models whose checkpoints are in folders of the same name.

    Args:
        models: models of one figure; their names are changed in place.
    """
    names = [model.name for model in models]
    for number, model in enumerate(models, start=1):
        if names.count(model.name) > 1:
            model.name = f'{number}: {model.name}'


def load_image(path: str | Path) -> Image.Image:
    """Load an image file as RGB as the models read it: turned as its EXIF orientation asks, with eight bits a channel.

    Args:
        path: path of the file.

    Raises:
        ImageError: OpenCV cannot decode it.
    """
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f'image {path} is no image that OpenCV can decode')
    return Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
