"""Trial build of the data loaders and metrics that mmengine builds at the start of a run."""
from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import METRICS, init_default_scope
from mmengine.runner import Runner

from ..errors import UsageError
from .classes import argument_of, classes_of, data_set_class
from .config_parts import FOLDERS, datasets, is_remote, metrics, name_of
from .detection import reads_as_mmdet


def check_loaders(config: Config) -> None:
    """Build data sets, samplers and metrics as a run does, reading all annotations.

    Files that mmdet's CocoDataset reads are replaced by short ones: ``check_data`` reads them entry by entry, and
    loading that of COCO's training set takes 3 GB.

    Args:
        config: an OpenMMLab config whose data have been checked. Data on another machine, and data that the run
            downloads, are not read.

    Raises:
        UsageError: a part cannot be built, for example because a package is missing.
    """
    scope = config.get('default_scope')
    if scope:
        init_default_scope(scope)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if not config.get(loader) or any(is_remote(dataset) or argument_of(dataset, 'download', scope)
                                         for dataset in datasets(config[loader])):
            continue
        try:
            with redirect_stdout(StringIO()), tempfile.TemporaryDirectory() as folder:  # pycocotools prints
                Runner.build_dataloader(_with_short_files(config[loader], scope, Path(folder)))
        except Exception as error:  # a data set may raise anything
            raise UsageError(_unbuilt(loader, error)) from error
    for split in ('val', 'test'):
        _check_metrics(config, f'{split}_dataloader')


def _with_short_files(loader: ConfigDict, scope: str | None, folder: Path) -> ConfigDict:
    """Return a data loader's config with short annotation files for the data sets that read them as mmdet does."""
    loader = copy.deepcopy(loader)
    for number, dataset in enumerate(datasets(loader)):
        classes = classes_of(dataset, scope)
        by_position = dataset.get('proposal_file') or dataset.get('indices') is not None  # of the file's images
        if classes and dataset.get('ann_file') and not by_position and reads_as_mmdet(data_set_class(dataset, scope)):
            dataset['ann_file'] = str(folder / f'{number}.json')
            Path(dataset['ann_file']).write_text(json.dumps(_one_of_each(classes)))
    return loader


def _one_of_each(classes: Sequence[str]) -> dict[str, Any]:
    """Return a COCO annotation file that passes every filter, with one image and one box per class."""
    side, numbers = 10_000, range(len(classes))
    corners = [[0, 0, side, 0, side, side]]
    return dict(images=[dict(id=number, file_name=f'{number}.jpg', width=side, height=side) for number in numbers],
                categories=[dict(id=number, name=name) for number, name in enumerate(classes)],
                annotations=[dict(id=number, image_id=number, category_id=number, bbox=[0, 0, side, side],
                                  area=side ** 2, iscrowd=0, segmentation=corners) for number in numbers])


def _check_metrics(config: Config, loader: str) -> None:
    """Build the metrics of a data loader, with temporary folders for those that create any."""
    with tempfile.TemporaryDirectory() as folder:
        for metric in copy.deepcopy(metrics(config, loader)):
            metric.update({key: f'{folder}/{key}' for key in FOLDERS if metric.get(key)})
            try:
                with redirect_stdout(StringIO()):
                    METRICS.build(metric)
            except Exception as error:  # a metric may raise anything
                raise UsageError(_unbuilt(f'metric {name_of(metric)} of {loader}', error)) from error


def _unbuilt(part: str, error: Exception) -> str:
    return f'{part} cannot be built: {type(error).__name__}: {" ".join(str(error).split())[:300]}'
