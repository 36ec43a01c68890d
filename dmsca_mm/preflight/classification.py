"""Check classification data as mmpretrain reads it: one folder per class, a list of images and labels, or CIFAR."""
from __future__ import annotations

import os
import os.path as osp
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..backbones import argument
from ..errors import UsageError
from .presence import check_present
from .samples import SAMPLE, SUFFIXES, check_images, spread


def check_classification(dataset: dict[str, Any], kind: type, loader: str, classes: Sequence[str] | None,
                         source: str, bad_ones_pass: bool) -> int | None:
    """Check the files of a classification data set.

    Args:
        dataset: its config.
        kind: its class; only mmpretrain's CustomDataset and CIFAR and their subclasses are checked.
        loader: the key of the data loader that reads it.
        classes: names of its classes; None if they are the names of the folders.
        source: how to get the data, for errors.
        bad_ones_pass: whether the run skips images that are missing or cannot be opened.

    Returns:
        The number of classes; None if unknown.

    Raises:
        UsageError: a folder or list is missing or empty; the numbers of folders and classes differ; a line of a list
            is not an image name and a valid label; a listed image is missing, or a sampled one cannot be opened.
    """
    root = Path(dataset.get('data_root') or '')
    number = None if classes is None else len(classes)
    prefix = dataset.get('data_prefix') or ''
    if getattr(kind, 'base_folder', None):
        folder = root / (prefix.get('root', '') if isinstance(prefix, dict) else prefix) / kind.base_folder
        if not dataset.get('download', True) and not folder.is_dir():
            raise UsageError(f'{loader}: folder {folder} does not exist; {source}')
        return number
    if 'CustomDataset' not in (base.__name__ for base in kind.__mro__):
        return number
    split = dataset.get('split') or ''
    if isinstance(prefix, dict):
        prefix = prefix.get('img_path') or ''
    folder = root / (prefix or split)
    if not folder.is_dir():
        raise UsageError(f'{loader}: folder {folder} does not exist; {source}')
    listed = dataset.get('ann_file') or ''
    if not listed and split and (root / 'meta' / f'{split}.txt').is_file():  # mmpretrain's default for ImageNet
        listed = f'meta/{split}.txt'
    labelled = dataset.get('with_label', True) and split != 'test'  # ImageNet's test images have no labels
    if listed:
        _check_list(root / listed, folder, labelled, number, loader, source, bad_ones_pass)
        return number
    if not labelled:
        return number
    default = argument(kind, 'extensions')
    suffixes = dataset.get('extensions') or (default.default if default else SUFFIXES)
    return _check_folders(folder, tuple(each.lower() for each in suffixes), number, loader, source, bad_ones_pass)


def _check_folders(folder: Path, suffixes: tuple[str, ...], number: int | None, loader: str, source: str,
                   bad_ones_pass: bool) -> int:
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    if not inside or number not in (None, len(inside)):
        raise UsageError(f'{loader}: {folder} holds {len(inside)} folders, there has to be one for each of '
                         f'{number or "its"} classes, or a list of the images in ann_file; {source}')
    if not any(next(_images(one, suffixes), None) for one in inside):
        raise UsageError(f'{loader}: no file in the folders of {folder} ends in {", ".join(suffixes)}; {source}, or '
                         'set extensions')
    of_each = max(1, SAMPLE // len(inside))
    for one in spread(inside):
        check_images(spread(sorted(_images(one, suffixes)), of_each), loader, bad_ones_pass=bad_ones_pass)
    return len(inside)


def _images(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a class as mmpretrain finds them, at any depth, without hidden files."""
    for path, _, names in os.walk(folder):
        yield from (Path(path, name) for name in names
                    if name.lower().endswith(suffixes) and not name.startswith('.'))


def _check_list(path: Path, folder: Path, labelled: bool, number: int | None, loader: str, source: str,
                bad_ones_pass: bool) -> None:
    named = f'{loader}: list {path}'
    if not path.is_file():
        raise UsageError(f'{named} does not exist; {source}')
    lines = [line.strip() for line in path.read_text(errors='replace').splitlines()]
    if not lines:
        raise UsageError(f'{named} is empty; {source}')
    names = lines
    if labelled:
        names = []
        for place, line in enumerate(lines, start=1):
            name, _, label = line.rpartition(' ')
            if not name or not label.isdecimal():
                raise UsageError(f"{named}, line {place}: {line!r:.80} is not an image name and a label")
            if number is not None and int(label) >= number:
                raise UsageError(f'{named}, line {place}: label {label} is out of range 0 to {number - 1}')
            names.append(name)
    paths = [osp.join(folder, name) for name in names]
    check_present(paths, f'{loader}: image', str(path), 'check data_prefix in the config', bad_ones_pass)
    check_images([Path(file) for file in spread(paths)], loader, bad_ones_pass)
