"""Export a trained detector or segmenter, from images to boxes or labels, as an ONNX file checked in onnxruntime."""
from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.inference import Images, data_set, open_model
from ..errors import UsageError

if TYPE_CHECKING:
    from .comparison import Agreement

PACKAGES = 'onnx', 'onnxscript', 'onnxruntime'
COMPARED = 4
"""Number of images of the test data set to compare on if none are named."""


def export(config: str, checkpoint: str, out: str, images: list[str] | None = None,
           options: dict[str, Any] | None = None, plugin: str | None = None) -> Agreement:
    """Export a trained model as an ONNX file that gives the same results.

    Args:
        config: see :func:`dmsca_mm.runtime.config.load_config`.
        checkpoint: path of a checkpoint of this config's model.
        out: path of the file, which is written only if it agrees with the model.
        images: paths of images to compare on; None for the first of the test data set.
        options, plugin: see :func:`dmsca_mm.runtime.config.load_config`.

    Raises:
        UsageError: an input cannot be read, the model cannot be exported, or the file does not agree with the model.
    """
    path = Path(out)
    if path.suffix != '.onnx':
        raise UsageError(f'--out {out}: give a name that ends in .onnx')
    if not path.parent.is_dir():
        raise UsageError(f'--out {out}: the folder {path.parent} does not exist; make it first')
    for package in PACKAGES:
        if find_spec(package) is None:
            raise UsageError(f'the export needs the package {package}: pip install {" ".join(PACKAGES)}')
    from . import comparison, graph
    opened, model = open_model(config, checkpoint, options, plugin)
    model.cpu()
    function = graph.function_of(model)
    pipeline = Images(opened)
    if images is None:
        samples = data_set(opened)
        images = [samples.get_data_info(place)['img_path'] for place in range(min(COMPARED, len(samples)))]
    batches = [pipeline.batch([image]) for image in images]
    partial = path.with_name(f'.{path.name}.part')
    try:
        graph.write(function, model.dataset_meta['classes'], partial)
        agreement = comparison.compare(partial, model, batches)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return agreement
