"""ONNX files: the function's values in onnxruntime, for batch and image sizes other than the example's."""
import json

import onnxruntime
import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack
from torch import nn

from dmsca_mm.analysis.inference import open_model
from dmsca_mm.errors import UsageError
from dmsca_mm.export import graph
from dmsca_mm.export.graph import INPUT, function_of, write


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), [
    ('detector', {}), ('one-stage', {'model.test_cfg.score_thr': 0.0}), ('segmenter', {})])
def test_file_gives_the_values_of_the_function(kind, options, untrained, tmp_path):
    _, model = open_model(*untrained(kind), options)
    function, path = function_of(model), tmp_path / 'model.onnx'
    write(function, model.dataset_meta['classes'], path)
    assert [each.name for each in tmp_path.iterdir()] == ['model.onnx']
    session = onnxruntime.InferenceSession(path)
    assert json.loads(session.get_modelmeta().custom_metadata_map['classes']) == [*model.dataset_meta['classes']]
    for shape in ((1, 3, 64, 64), (3, 3, 130, 97)):
        images = 255 * torch.rand(shape)
        with torch.no_grad():
            expected = function(images)
        found = [torch.from_numpy(value) for value in session.run(None, {INPUT: images.numpy()})]
        if kind == 'segmenter':
            assert (found[0] == expected).double().mean() > 0.999
        else:
            # Random weights give boxes of nearly equal scores, whose order may differ.
            torch.testing.assert_close(found[1], expected.scores, rtol=0, atol=1e-3)
            assert ((found[2] >= 0) == (expected.labels >= 0)).all()


class Deformed(nn.Module):
    """A function of images by an operation that torch.onnx cannot translate."""

    def __init__(self):
        super().__init__()
        self.model = ModulatedDeformConv2dPack(3, 3, 1)

    def forward(self, images):
        return self.model(images)


def test_an_operation_that_onnx_lacks_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(graph.OUTPUTS, Deformed, ('labels',))
    with pytest.raises(UsageError, match=r'^ModulatedDeformConv2dPack cannot be exported by torch\.onnx: \w+: '):
        write(Deformed(), ('a',), tmp_path / 'model.onnx')
    assert list(tmp_path.iterdir()) == []


def test_model_of_another_kind_is_refused():
    with pytest.raises(UsageError, match='Linear cannot be exported'):
        function_of(nn.Linear(1, 1))
