"""Non-maximum suppression and RoI features match the libraries', in PyTorch and in onnxruntime."""
import onnxruntime
import pytest
import torch
from mmcv.ops import batched_nms
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import nn

from dmsca_mm.export.operators import TRANSLATIONS

OVERLAP = 0.5


class Both(nn.Module):
    """The two operators."""

    def forward(self, boxes, scores, first, second, regions, levels):
        return (torch.ops.dmsca_mm.keep(boxes, scores, OVERLAP),
                torch.ops.dmsca_mm.region_features([first, second], regions, levels, [4, 8], 7, 0))


def inputs(images=2, boxes=40, regions=30, side=25):
    corners = torch.rand(images, boxes, 2) * 50
    corners = torch.cat([corners, corners + torch.rand(images, boxes, 2) * 40], -1)
    chosen = torch.randint(0, images * boxes, (regions,))
    image = (chosen // boxes).to(corners)[:, None]
    return (corners, torch.rand(images, boxes) - 0.2, torch.randn(images, 8, side, side),
            torch.randn(images, 8, -(-side // 2), -(-side // 2)),
            torch.cat([image, corners.reshape(-1, 4)[chosen]], 1), torch.randint(0, 2, (regions,)))


def test_keep_is_that_of_mmcv_among_the_boxes_with_a_score():
    boxes, scores, *_ = inputs()
    kept = torch.ops.dmsca_mm.keep(boxes, scores, OVERLAP)
    for own, score, found in zip(boxes, scores, kept, strict=True):
        some = score >= 0
        _, chosen = batched_nms(own[some], score[some], torch.zeros(int(some.sum())),
                                dict(type='nms', iou_threshold=OVERLAP))
        assert {*some.nonzero().flatten()[chosen].tolist()} == {*found.nonzero().flatten().tolist()}
    assert 0 < kept.sum() < (scores >= 0).sum()


def test_region_features_are_those_of_the_extractor():
    _, _, first, second, regions, _ = inputs()
    extractor = SingleRoIExtractor(dict(type='RoIAlign', output_size=7, sampling_ratio=0), 8, [4, 8],
                                   finest_scale=10)
    levels = extractor.map_roi_levels(regions, 2)
    assert 0 < levels.sum() < len(levels)
    found = torch.ops.dmsca_mm.region_features([first, second], regions, levels, [4, 8], 7, 0)
    torch.testing.assert_close(found, extractor((first, second), regions))


@pytest.mark.parametrize('operator', ['keep', 'region_features'])
def test_operators_are_registered_as_pytorch_asks(operator):
    boxes, scores, first, second, regions, levels = inputs()
    arguments = (boxes, scores, OVERLAP) if operator == 'keep' else ([first, second], regions, levels, [4, 8], 7, 0)
    torch.library.opcheck(getattr(torch.ops.dmsca_mm, operator).default, arguments)


@pytest.mark.filterwarnings('ignore')  # the exporter warns about names of its own choice
def test_onnx_gives_the_same_for_other_numbers_of_images_boxes_and_regions(tmp_path):
    names = [torch.export.Dim(name) for name in ('images', 'boxes', 'regions')]
    images, boxes, regions = names
    shapes = ({0: images, 1: boxes}, {0: images, 1: boxes}, {0: images}, {0: images}, {0: regions}, {0: regions})
    path = tmp_path / 'both.onnx'
    torch.onnx.export(Both().eval(), inputs(), path, dynamo=True, opset_version=18, verbose=False,
                      dynamic_shapes=shapes, custom_translation_table=TRANSLATIONS)
    session = onnxruntime.InferenceSession(path)
    for values in (inputs(), inputs(3, 60, 11)):
        feed = {entry.name: value.numpy() for entry, value in zip(session.get_inputs(), values, strict=True)}
        kept, features = (torch.from_numpy(value) for value in session.run(None, feed))
        expected = Both()(*values)
        assert torch.equal(kept, expected[0])
        torch.testing.assert_close(features, expected[1])
