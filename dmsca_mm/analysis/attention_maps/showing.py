"""From a config, a checkpoint and images to figures of what the model attends to."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from ...errors import UsageError
from ...preflight import ignored_labels
from ...preflight.samples import SUFFIXES
from ..inference import Images, open_model
from ..predictions import Colour, Shown, colour, draw_boxes, draw_classes
from . import figures, maps

SCORE = 0.3
"""Boxes below this score are not drawn, and not explained where any is above it."""



class Model:
    """A trained model, ready to be looked at.

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
        self.segments = hasattr(self.model, 'encode_decode')
        self.classes: tuple[str, ...] = self.model.dataset_meta['classes']
        self.palette: tuple[Colour, ...] = self.model.dataset_meta['palette']

    def take(self, path: str | Path) -> Seen:
        """One image through the model.

        Args:
            path: of the file.

        Raises:
            ImageError: it cannot be read.
        """
        return Seen(self, self.images.batch([path]))

    def shown(self, image: Image.Image, sample: Any, which: str) -> Shown | None:
        """What a sample holds, drawn on its image.

        Args:
            image: RGB.
            sample: with predictions or annotations, boxes, a label map or a label.
            which: ``'pred'`` or ``'gt'``; predicted boxes of low scores are left out.

        Returns:
            None where the sample holds none of them.
        """
        instances, labels = sample.get(f'{which}_instances'), sample.get(f'{which}_sem_seg')
        if sample.get(f'{which}_label') is not None:
            number = int(sample.get(f'{which}_label')[0])
            score = f': {sample.pred_score[number]:.2f}' if which == 'pred' else ''
            return Shown(image, [(self._name(number) + score, colour(number, self.palette))])
        if labels is not None:
            labels = labels.data.squeeze(0).cpu().numpy()
            # A class that the losses leave out may be predicted all the same.
            ignored = [label for label in ignored_labels(self.config) if which == 'gt' or label >= len(self.classes)]
            numbers, counts = np.unique(labels[~np.isin(labels, ignored)], return_counts=True)
            legend = [(self._name(number), colour(number, self.palette)) for number in numbers[np.argsort(-counts)]]
            return Shown(draw_classes(image, labels, self.palette, ignored), legend)
        if instances is None or 'bboxes' not in instances:
            return None
        if 'scores' in instances:
            instances = instances[instances.scores >= SCORE]
        scores = [f': {score:.2f}' for score in instances.scores] if 'scores' in instances else [''] * len(instances)
        texts = [self._name(label) + score for label, score in zip(instances.labels, scores, strict=True)]
        boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)  # mmdet has boxes of its own kind
        return Shown(draw_boxes(image, boxes.cpu().numpy(), instances.labels.tolist(), texts))

    def _name(self, label: int) -> str:
        return self.classes[label] if label < len(self.classes) else str(int(label))


class Seen:
    """An image as a model took it, and what the model found in it.

    Args:
        model: the model.
        batch: the image, out of its pipeline.
    """

    def __init__(self, model: Model, batch: dict[str, Any]) -> None:
        self.model = model
        prepared = model.model.data_preprocessor(batch, False)
        self.inputs: Tensor = prepared['inputs']
        self.samples: list[Any] = prepared['data_samples']
        info = self.samples[0].metainfo
        self.original: tuple[int, int] = tuple(info['ori_shape'][:2])
        self.part: tuple[int, int] = tuple(info['img_shape'][:2])
        with torch.no_grad():
            found = model.model.predict(self.inputs, self.samples)[0]
        self.found = model.shown(picture(info['img_path']), found, 'pred')
        self.labelled = 'pred_label' in found
        self.nothing = 'pred_instances' in found and len(found.pred_instances) == 0
        self.note = self._note(found)

    def on_image(self, values: Tensor) -> np.ndarray:
        """A map of the model, (h, w), at the size of the file."""
        return maps.on_image(values, tuple(self.inputs.shape[2:]), self.part, self.original).numpy()

    def attentions(self, places: Sequence[maps.Place]) -> list[figures.Attention]:
        """The maps of DMSCA modules.

        Args:
            places: of the modules.
        """
        found = []
        for place, shown in zip(places, maps.explain(self.model.model, places, self.inputs), strict=True):
            spatial, gate, activation, total = (
                self.on_image(values[0]) for values in (shown.spatial, shown.gate, shown.activation, shown.scale))
            ceiling = self.model.model.get_submodule(place.name).tca.scale
            found.append(figures.Attention(place, shown.channel[0].cpu().numpy(), spatial, gate, activation, total,
                                        shown.temperature, ceiling))
        return found

    def grad_cam(self, places: Sequence[maps.Place]) -> figures.Cam:
        """Grad-CAM of what the model found.

        Args:
            places: of blocks, at most one a stage.
        """
        if self.nothing:  # no score, so nothing raises it
            blank = {place.stage: np.zeros(self.original) for place in places}
            return figures.Cam(self.model.name, self.found, blank, self.note)
        score = _score(self.model.model, self.samples, self.model.segments, self.model.classes, self.labelled)
        found = {place.stage: self.on_image(maps.grad_cam(self.model.model, place, score, self.inputs)[0])
                 for place in places}
        return figures.Cam(self.model.name, self.found, found, self.note)

    def _note(self, found: Any) -> str:
        """What Grad-CAM explains where that is not what is drawn as found."""
        if self.nothing:
            return 'finds nothing: there is no score to explain'
        if 'pred_instances' in found and found.pred_instances.scores.max() < SCORE:
            return f'finds nothing of score {SCORE} or above: its best, {found.pred_instances.scores.max():.2f}, ' \
                   'is explained'
        classes = self.model.classes
        if self.model.segments and 'background' in classes \
                and (found.pred_sem_seg.data == classes.index('background')).all():
            return 'finds background alone, which is explained'
        return ''


def _score(model: nn.Module, samples: list[Any], segments: bool, classes: Sequence[str], labelled: bool
           ) -> Callable[[Tensor], Tensor]:
    """What Grad-CAM explains: the scores of all boxes found, the probability of the class found for each pixel, or for
    the whole image.

    A class named background is no finding.
    """
    def of_boxes(inputs: Tensor) -> Tensor:
        with _whole_graph():
            scores = model.predict(inputs, samples)[0].pred_instances.scores
        if not scores.requires_grad:
            raise UsageError(f'Grad-CAM cannot be computed: {type(model).__name__} gives scores without a gradient')
        counted = scores[scores >= SCORE]
        return (counted if len(counted) else scores[:1]).sum()[None]

    def of_pixels(inputs: Tensor) -> Tensor:
        best, label = model.encode_decode(inputs, [sample.metainfo for sample in samples]).softmax(1).max(1)
        is_object = label != classes.index('background') if 'background' in classes else torch.ones_like(label).bool()
        return (best[is_object] if is_object.any() else best).sum()[None]

    def of_image(inputs: Tensor) -> Tensor:
        return model(inputs, mode='tensor').softmax(1).max(1).values

    if labelled:
        return of_image
    return of_pixels if segments else of_boxes


@contextmanager
def _whole_graph() -> Iterator[None]:
    """mmdet's one-stage heads cut the graph before they choose boxes; inside this block they leave it whole."""
    from mmdet.models.dense_heads import base_dense_head
    cutting = base_dense_head.select_single_mlvl
    base_dense_head.select_single_mlvl = lambda tensors, image, detach: cutting(tensors, image, detach=False)
    try:
        yield
    finally:
        base_dense_head.select_single_mlvl = cutting


def show_attention(config: str, weights: str, images: Sequence[str], out: str, stages: Sequence[int] | None = None,
                   blocks: str = 'last', grad_cam: bool = False, beside: Sequence[tuple[str, str]] = (),
                   cfg_options: dict[str, Any] | None = None, plugin: str | None = None) -> list[Path]:
    """Draw what a model attends to, a figure an image.

    Args:
        config: see :func:`inference.open_model`.
        weights: path of the checkpoint.
        images: paths of image files, and of folders of them.
        out: folder for the figures.
        stages: of the backbone, counted from 1; None for all that have a DMSCA module.
        blocks: ``'last'`` of each stage or ``'all'``.
        grad_cam: draw Grad-CAM instead, which needs no DMSCA in the model.
        beside: config and checkpoint of further models, whose Grad-CAM is drawn below.
        cfg_options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Returns:
        The figures.

    Raises:
        UsageError: no DMSCA in the model, a stage that it has not, a checkpoint of another config, an image that
            cannot be read; nothing has been written then.
    """
    models = [Model(config, weights, cfg_options, plugin), *(Model(*other) for other in beside)]
    name_apart(models)
    grad_cam = grad_cam or len(models) > 1
    first = models[0].model
    if not grad_cam and not maps.attentions(first):
        raise UsageError(f'{config} has no DMSCA in its backbone, so there are no maps: put one in with --plugin dmsca '
                         'and a checkpoint trained with it, or see Grad-CAM with --grad-cam')
    files = image_files(images)
    stems = {path.stem for path in files}
    if len(stems) < len(files):
        raise UsageError(f'two of the {len(files)} images have the same name: their figures would be one file; call '
                         'it once for each')
    for path in files:  # a folder's images need not fit into the memory together
        for model in models:
            model.images.batch([path])
    paths = []
    for path in files:
        seen = [model.take(path) for model in models]
        image = np.asarray(picture(path))
        if grad_cam:
            cams = [each.grad_cam(maps.choose(maps.stage_ends(each.model.model), stages)) for each in seen]
            figure = figures.cam_figure(image, cams, f'Where the features raise the scores: {path.name}')
        else:
            places = maps.choose(maps.attentions(first), stages, blocks)
            figure = figures.attention_figure(image, seen[0].found, seen[0].attentions(places),
                                           f'What DMSCA attends to: {path.name}')
        paths.append(Path(out) / f'{path.stem}.{"grad_cam" if grad_cam else "attention"}.png')
        figures.save(figure, paths[-1])
    return paths


def image_files(paths: Sequence[str | Path]) -> list[Path]:
    """Image files, and in place of a folder the image files in it, by name.

    Args:
        paths: of files and folders.

    Raises:
        UsageError: a folder without an image file.
    """
    found = []
    for path in map(Path, paths):
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f'the folder {path} holds no image file ({", ".join(SUFFIXES)}): give another, or files')
        found += inside
    return found


def picture(path: str | Path) -> Image.Image:
    """An image file as it is seen, RGB.

    Args:
        path: of the file.
    """
    with Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert('RGB')  # as OpenCV turns it


def name_apart(models: Sequence[Model]) -> None:
    """Number models whose checkpoints lie in folders of the same name.

    Args:
        models: those that stand in one figure.
    """
    names = [model.name for model in models]
    for place, model in enumerate(models, start=1):
        if names.count(model.name) > 1:
            model.name = f'{place}: {model.name}'
