"""Measure how well a model's maps align with the objects in its test data."""
from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import TRANSFORMS
from torch.nn import functional
from tqdm import tqdm

from ... import preflight
from ...checkpoint.writing import write_atomically
from ...errors import UsageError
from ...runtime.config import default_work_dir
from ...version import __version__
from ..attention_maps import maps
from ..attention_maps.prediction import Model, Prediction, number_equal_names
from ..inference import data_set
from ..plotting import save
from .figure import CONTROL, alignment_figure
from .numbers import Objects, Tally

CONTROLLED = ('total', 'departure', 'Grad-CAM')
"""Maps that are also compared with the objects of another image."""


class Annotated:
    """Test images of a model, and the objects in them.

    Args:
        config: config of a detector or segmenter; its test data are checked.
        classes: class names of the model.
        chosen: names of the classes that count as objects; None for all except one called background.

    Raises:
        UsageError: the test data are missing, wrong or those of a classifier, or the model lacks a chosen class.
    """

    def __init__(self, config: Config, classes: Sequence[str], chosen: Sequence[str] | None = None) -> None:
        if config.get('default_scope') == 'mmpretrain':
            raise UsageError(f'{config.filename} is of a classifier, whose data have no boxes or label maps: the '
                             'alignment is measured on detectors and segmenters')
        preflight.check_test(config, measured=False)
        for name in chosen or ():
            if name not in classes:
                raise UsageError(f'class {name!r} is unknown to the model: it has {", ".join(classes)}')
        self.numbers = [number for number, name in enumerate(classes)
                        if (name in chosen if chosen else name != 'background')]
        self.dataset, self.ignored = data_set(config), preflight.ignored_labels(config)
        self.load = TRANSFORMS.build(dict(type='LoadAnnotations')) if config.default_scope == 'mmseg' else None

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, place: int) -> tuple[str, Objects]:
        """Return the path of the image at an index, and its objects: boxes, or the connected areas of a label map."""
        info = self.dataset.get_data_info(place)
        return info['img_path'], self._areas(info) if self.load else self._boxes(info)

    def _boxes(self, info: dict[str, Any]) -> Objects:
        masks, ignored = [], np.zeros((int(info['height']), int(info['width'])), bool)
        for instance in info['instances']:
            left, top, right, bottom = (max(round(edge), 0) for edge in instance['bbox'])
            mask = np.zeros_like(ignored)
            mask[top:bottom, left:right] = True
            if instance['ignore_flag'] or instance['bbox_label'] not in self.numbers:
                ignored |= mask
            else:
                masks.append(mask)
        return Objects.of(masks, ignored)

    def _areas(self, info: dict[str, Any]) -> Objects:
        from scipy.ndimage import label
        path = info.get('seg_map_path')
        if path is None or not Path(path).is_file():
            raise UsageError(f'image {info["img_path"]} has no label map ({path}): the alignment needs those of the '
                             'test data, see data_prefix.seg_map_path')
        labels, masks = self.load(info)['gt_seg_map'], []
        ignored = np.isin(labels, self.ignored)
        for number in self.numbers:
            areas, count = label((labels == number) & ~ignored, np.ones((3, 3)))
            masks += [areas == area for area in range(1, count + 1)]
        return Objects.of(masks, ignored)


def measure_alignment(config: str, weights: str, out: str | None = None, beside: Sequence[tuple[str, str]] = (),
                      images: int = 200, stages: Sequence[int] | None = None, classes: Sequence[str] | None = None,
                      cfg_options: dict[str, Any] | None = None, plugin: str | None = None) -> list[dict[str, Any]]:
    """Measure how well the maps of the last block of each stage align with the annotated objects.

    The maps are Grad-CAM and, if the model has DMSCA, its total, the total's departure from its median, the spatial
    gate and the activation. As a control, ``CONTROLLED`` are compared with the objects of another image, too.

    Args:
        config: see :func:`inference.open_model`.
        weights: path of the checkpoint.
        out: folder for ``alignment.json`` and ``alignment.png``; defaults to ``work_dirs/NAME_OF_CONFIG/alignment``.
        beside: config and checkpoint of each additional model.
        images: maximum number of test images, from the first, at least 2.
        stages: stages of the backbone, counted from 1; None for all.
        classes: names of the classes that count as objects; None for all except one called background.
        cfg_options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Returns:
        The rows of :meth:`Tally.summary`, each with ``model``.

    Raises:
        UsageError: as :func:`inference.open_model`, or the model lacks a stage, the test data are missing, or there are
            fewer than two images or no objects, or the annotations of an image are for another size.
    """
    if images < 2:
        raise UsageError(f'--images is {images}, must be at least 2: the control needs another image')
    models = [Model(config, weights, cfg_options, plugin), *(Model(*other) for other in beside)]
    number_equal_names(models)
    data = Annotated(models[0].config, models[0].classes, classes)
    tallies = [Tally() for _ in models]
    places = range(min(images, len(data)))
    if len(places) < 2:
        raise UsageError(f'the test data have {len(places)} image(s), must be at least 2: the control needs another')
    _, objects = data.image(places[-1])
    before = objects.targets(), objects.ignored.shape
    for place in tqdm(places, unit='image'):
        path, objects = data.image(place)
        targets = objects.targets()
        for model, tally in zip(models, tallies, strict=True):
            prediction = model.predict(path)
            _check_size(path, prediction.view.size, objects.ignored.shape)
            for kind, stage, values in _maps(prediction, stages):
                tally.add(kind, stage, values, targets)
                if kind in CONTROLLED:
                    of_other, size = before
                    tally.add(f'{kind}, {CONTROL}', stage, _resized(values, size), of_other)
        before = targets, objects.ignored.shape
    rows = [dict(model=model.name, **row) for model, tally in zip(models, tallies, strict=True)
            for row in tally.summary()]
    if not rows:
        raise UsageError(f'the first {len(places)} images of the test data have no objects: give more --images, or '
                         'other --classes')
    _write(rows, len(places), Path(out) if out else default_work_dir(config) / 'alignment')
    return rows


def _check_size(path: str, loaded: tuple[int, int], annotated: tuple[int, int]) -> None:
    if loaded != annotated:
        raise UsageError(f'image {path} is loaded with {loaded[1]}×{loaded[0]} pixels, and its annotations are for '
                         f'{annotated[1]}×{annotated[0]}: correct them, or remove the EXIF orientation of the image')


def _maps(prediction: Prediction, stages: Sequence[int] | None) -> Iterator[tuple[str, int, np.ndarray]]:
    model = prediction.model.model
    if maps.attentions(model):
        for shown in prediction.attentions(maps.choose(maps.attentions(model), stages)):
            yield 'total', shown.place.stage, shown.total
            yield 'departure', shown.place.stage, np.abs(shown.total - np.nanmedian(shown.total))
            yield 'spatial gate', shown.place.stage, shown.spatial
            yield 'activation', shown.place.stage, shown.activation
    for stage, values in prediction.grad_cam(maps.choose(maps.stage_ends(model), stages)).maps.items():
        yield 'Grad-CAM', stage, values


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a map to the size of another image."""
    return functional.interpolate(torch.from_numpy(values)[None, None], size, mode='bilinear')[0, 0].numpy()


def _write(rows: list[dict[str, Any]], images: int, out: Path) -> None:
    content = dict(command=shlex.join(sys.argv), date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
                   versions=dict(dmsca_mm=__version__, torch=torch.__version__), images=images, rows=rows)
    write_atomically(json.dumps(content, indent=1).encode(), out / 'alignment.json', 'run the same command again')
    save(alignment_figure([row for row in rows if row['size'] == 'all'],
                          f'How well maps fall onto the objects of {images} images'), out / 'alignment.png')
