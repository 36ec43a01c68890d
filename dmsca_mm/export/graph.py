"""Turn a trained model into one function of images, and that function into an ONNX file."""
from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ..errors import UsageError
from .detectors import OneStage, TwoStage
from .operators import TRANSLATIONS
from .segmenters import Segmenter

OPSET = 18
INPUT = 'images'
OUTPUTS = {OneStage: ('boxes', 'scores', 'labels'), TwoStage: ('boxes', 'scores', 'labels'), Segmenter: ('labels',)}
EXAMPLE = 2, 3, 320, 384
"""Shape of the images that record the graph. A side of 1, even on a coarse level, would be recorded as a constant."""
SMALLEST = 64
"""Minimum height and width, in pixels, of the images that the file takes."""


def function_of(model: nn.Module) -> nn.Module:
    """Return a model as a function from images to results, including preprocessing and post-processing.

    Args:
        model: trained model of mmdet or mmseg.

    Raises:
        UsageError: the model cannot be exported.
    """
    if hasattr(model, 'decode_head') and not isinstance(model.decode_head, nn.ModuleList):
        function = Segmenter(model)
    elif hasattr(model, 'rpn_head') and hasattr(model, 'roi_head'):
        function = TwoStage(model)
    elif hasattr(model, 'bbox_head'):
        function = OneStage(model)
    else:
        raise UsageError(f'{type(model).__name__} cannot be exported: detectors of one and two stages and segmenters '
                         'with one decode head can')
    return nn.Module.train(function, False)


def write(function: nn.Module, classes: tuple[str, ...], path: Path) -> None:
    """Write a function as ONNX, for any number of images of any size from ``SMALLEST``.

    Args:
        function: result of :func:`function_of`.
        classes: names of the labels; stored in the file's metadata as ``classes``, a JSON list.
        path: path of the file, which is replaced.

    Raises:
        UsageError: torch.onnx cannot record or translate the model, or the graph would take images of only one size.
    """
    sizes = {0: torch.export.Dim('batch'), **{axis: torch.export.Dim(name, min=SMALLEST)
                                              for axis, name in ((2, 'height'), (3, 'width'))}}
    with _quiet():
        try:
            program = torch.onnx.export(
                function, (255 * torch.rand(EXAMPLE),), dynamo=True, verbose=False, opset_version=OPSET,
                input_names=[INPUT], output_names=list(OUTPUTS[type(function)]), dynamic_shapes=(sizes,),
                custom_translation_table=TRANSLATIONS)
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error
            raise UsageError(f'{type(function.model).__name__} cannot be exported by torch.onnx: '
                             f'{type(cause).__name__}: {" ".join(str(cause).split())[:300]}') from error
        shape = program.model.graph.inputs[0].shape
        if any(isinstance(shape[axis], int) for axis in sizes):
            raise UsageError(f'{type(function.model).__name__} cannot be exported for any size of images: its graph '
                             f'takes {shape} only')
        program.model.metadata_props['classes'] = json.dumps(classes)
        program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about unused operators and its own optimizations."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(logging.NOTSET)
