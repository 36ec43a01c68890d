"""Load a sample of the label maps of a data set as its pipeline does."""
from __future__ import annotations

import copy
from typing import Any

import numpy as np
from mmengine.registry import TRANSFORMS

from ..errors import UsageError
from .samples import size_of, spread


def check_maps(files: list[dict[str, Any]], pipeline: Any, built: Any, scope: str | None, ignored: set[int],
               loader: str, bad_ones_pass: bool) -> tuple[list[str], dict[int, str]]:
    """Load label maps and compare them with their images.

    Args:
        files: the data set's list, of which a sample is read.
        pipeline: its steps; without mmseg's LoadAnnotations nothing is read. None uses LoadAnnotations with its
            defaults, as the pipeline is set elsewhere.
        built: the data set.
        scope: the library that resolves the names of the steps.
        ignored: labels that neither the loss nor the metric counts.
        loader: the key of the data loader that reads it.
        bad_ones_pass: whether the run skips label maps that cannot be opened or differ in size from their image.

    Returns:
        Warnings about label maps with nothing to learn, and all labels, each with the first file that contains it.

    Raises:
        UsageError: a label map has more than one channel, differs in size from its image, or cannot be loaded.
    """
    load = _loading_step(pipeline, scope)
    if load is None:
        return [], {}
    sample, deep, misfits, void = spread(files), [], [], []
    labels: dict[int, str] = {}
    for one in sample:
        path = one['seg_map_path']
        try:
            loaded = load.transform(copy.deepcopy(one))['gt_seg_map']
        except Exception as error:  # from the decoder or an assertion in mmseg
            if bad_ones_pass and size_of(path) is None:
                continue
            remedy = '; give the data set and LoadAnnotations the same' if 'reduce_zero_label' in str(error) else ''
            raise UsageError(f'{loader}: label map {path} cannot be loaded: {type(error).__name__}: {error}{remedy}'
                             ) from None
        size = size_of(one['img_path'])
        if loaded.ndim != 2:
            deep.append((path, loaded.shape))
        elif size is not None and loaded.shape != size[::-1]:
            misfits.append((path, loaded.shape[::-1], size))
        present = {int(label) for label in np.unique(loaded)}
        labels = {**dict.fromkeys(present, path), **labels}
        if present <= ignored:
            void.append(path)
    opened = f'{len(sample)} label maps that were opened (of {len(files)})'
    if deep:
        path, shape = deep[0]
        raise UsageError(f'{loader}: {len(deep)} of {opened} have more than one channel; the first is {path}, of shape '
                         f'{shape}: a label map has one channel with a class number for each pixel; convert '
                         'colours to class numbers')
    if misfits and (len(misfits) == len(sample) or not bad_ones_pass):
        path, size, expected = misfits[0]
        raise UsageError(f'{loader}: {len(misfits)} of {opened} are of another size than their image; the first is '
                         f'{path} with {size[0]}×{size[1]} pixels, its image has {expected[0]}×{expected[1]}')
    return _uninformative(void, labels.keys() - ignored, opened, built, ignored, loader), labels


def _uninformative(void: list[str], labels: set[int], opened: str, built: Any, ignored: set[int], loader: str
                   ) -> list[str]:
    if void:
        hint = '; with reduce_zero_label=True label 0 is ignored' if built.reduce_zero_label else ''
        return [f'{loader}: {len(void)} of {opened} hold nothing but ignored labels, such as {void[0]}{hint}']
    classes = built.metainfo.get('classes') or ()
    if len(labels) == 1 and len(classes) > 1:
        return [f'{loader}: all {opened} hold only label {next(iter(labels))} besides '
                f'ignored ones ({", ".join(map(str, sorted(ignored)))}), of {len(classes)} classes: '
                'convert a mask of 0 and 255 to one of 0 and 1']
    return []


def _loading_step(pipeline: Any, scope: str | None) -> Any:
    """Build the first step that is mmseg's LoadAnnotations; return None if there is none.

    A class derived from it may need what earlier steps add, so it is left to the run.
    """
    with TRANSFORMS.switch_scope_and_registry(scope) as registry:
        for step in [dict(type='LoadAnnotations')] if pipeline is None else pipeline:
            kind = step.get('type') if isinstance(step, dict) else None
            kind = registry.get(kind) if isinstance(kind, str) else kind
            if isinstance(kind, type) and kind.__name__ == 'LoadAnnotations':
                return kind(**{key: value for key, value in step.items() if key not in ('type', '_scope_')})
    return None
