"""Draw figures of DMSCA maps or Grad-CAM from a config, a checkpoint and images."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...preflight.samples import SUFFIXES
from .. import plotting
from . import figures, maps
from .prediction import Model, load_image, number_equal_names


def show_attention(config: str, weights: str, images: Sequence[str], out: str, stages: Sequence[int] | None = None,
                   blocks: str = 'last', grad_cam: bool = False, beside: Sequence[tuple[str, str]] = (),
                   cfg_options: dict[str, Any] | None = None, plugin: str | None = None) -> list[Path]:
    """Draw the attention of a model, one figure for each image.

    Args:
        config: see :func:`inference.open_model`.
        weights: path of the checkpoint.
        images: paths of image files or of folders of image files.
        out: folder for the figures.
        stages: stages of the backbone, counted from 1; None for all that have maps.
        blocks: ``'last'`` of each stage or ``'all'``.
        grad_cam: draw Grad-CAM instead, which needs no DMSCA in the model.
        beside: config and checkpoint of each additional model, drawn below; implies ``grad_cam``.
        cfg_options: entries that override the config's.
        plugin: see :func:`config.load_config`.

    Returns:
        The paths of the figures.

    Raises:
        UsageError: the model has no DMSCA or lacks a stage, the checkpoint is of another config, an image cannot be
            read, or the test pipeline has a geometric transform that is unknown here. Nothing has been written then.
    """
    models = [Model(config, weights, cfg_options, plugin), *(Model(*other) for other in beside)]
    number_equal_names(models)
    grad_cam = grad_cam or len(models) > 1
    places = maps.attentions(models[0].model)
    if not grad_cam and not places:
        raise UsageError(f'{config} has no DMSCA in its backbone, so there are no maps: put one in with --plugin dmsca '
                         'and a checkpoint trained with it, or see Grad-CAM with --grad-cam')
    files = _image_files(images)
    if len({path.stem for path in files}) < len(files):
        raise UsageError(f'two of the {len(files)} images have the same name, so their figures would be one file: '
                         'call the tool once for each')
    for path in files:  # before any figure; one at a time, because a folder may not fit into memory
        for model in models:
            model.images.view(path)
    paths = []
    for path in files:
        image = np.asarray(load_image(path))
        predictions = [model.predict(path) for model in models]
        if grad_cam:
            cams = [each.grad_cam(maps.choose(maps.stage_ends(each.model.model), stages)) for each in predictions]
            figure = figures.cam_figure(image, cams, f'Where the features raise the scores: {path.name}')
        else:
            attentions = predictions[0].attentions(maps.choose(places, stages, blocks))
            figure = figures.attention_figure(image, predictions[0].picture, attentions,
                                              f'What DMSCA attends to: {path.name}')
        paths.append(Path(out) / f'{path.stem}.{"grad_cam" if grad_cam else "attention"}.png')
        plotting.save(figure, paths[-1])
    return paths


def _image_files(paths: Sequence[str | Path]) -> list[Path]:
    """Return image files. A folder is replaced by the image files in it, sorted by name."""
    found = []
    for path in map(Path, paths):
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f'the folder {path} holds no image file ({", ".join(SUFFIXES)}): give another, or files')
        found += inside
    return found
