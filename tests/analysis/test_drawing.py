"""Boxes, label maps and labels are drawn in the right place, on an image of fixed size."""
import mmpretrain.visualization  # noqa: F401  registers its visualizer
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from PIL import Image

from dmsca_mm.analysis.drawing import SCORE, SIDE, draw

GREY = (100, 100, 100)
PALETTE = [(0, 0, 0), (250, 0, 0)]


def boxes(name, *corners, **values):
    instances = InstanceData(bboxes=torch.tensor(corners).reshape(-1, 4), labels=torch.arange(1, len(corners) + 1),
                             **values)
    return DetDataSample(**{name: instances})


def test_box_is_drawn_at_its_place_on_the_enlarged_image():
    sample = boxes('gt_instances', [40.0, 30, 120, 60])
    found = np.asarray(draw(Image.new('RGB', (160, 80), GREY), sample, 'gt', ['a', 'b'], PALETTE)).astype(int)
    assert found.shape == (240, SIDE, 3)
    red = found[..., 0] - found[..., 1] > 50
    assert red[110:180, 120].all(), 'the left edge'
    assert red[180, 121:360].all(), 'the lower edge'
    changed = np.abs(found - GREY).max(-1) > 5
    assert not changed[110:175, 150:350].any(), 'nothing inside, below the label'
    assert not changed[:85].any()
    assert not changed[185:].any()


@pytest.mark.parametrize('score', [SCORE - 0.01, SCORE + 0.01])
def test_predicted_box_is_drawn_from_the_least_score(score):
    sample = boxes('pred_instances', [40.0, 30, 120, 60], scores=torch.tensor([score]))
    found = draw(Image.new('RGB', (160, 80), GREY), sample, 'pred', ['a'], PALETTE)
    assert (np.abs(np.asarray(found).astype(int) - GREY).max() > 100) == (score > SCORE)


def test_label_without_a_name_or_a_colour_is_drawn_all_the_same():
    assert draw(Image.new('RGB', (160, 80)), boxes('gt_instances', [40.0, 30, 120, 60]), 'gt').getextrema() != (
        (0, 0), (0, 0), (0, 0))


def test_classes_of_a_label_map_are_mixed_over_the_image_and_ignored_ones_are_not():
    labels = torch.full((1, 60, 60), 2)
    labels[:, :20], labels[:, 20:40] = 1, 255
    sample = SegDataSample(pred_sem_seg=PixelData(data=labels))
    found = np.asarray(draw(Image.new('RGB', (60, 60), GREY), sample, 'pred', 'abc', [*PALETTE, (0, 0, 250)], [2]))
    assert [tuple(found[row, 9]) for row in (80, 240, 400)] == [(205, 30, 30), (30, 30, 30), (30, 30, 30)]
    assert sample.pred_sem_seg.data.unique().tolist() == [1, 2, 255], 'the sample is left as it was'


def test_label_of_an_image_is_written_on_it():
    sample = DataSample().set_gt_label(0).set_pred_label(1).set_pred_score(torch.tensor([0.2, 0.8]))
    image = Image.new('RGB', (64, 64), GREY)
    truth, prediction = (np.asarray(draw(image, sample, which, ['cat', 'dog'])) for which in ('gt', 'pred'))
    assert truth.shape == prediction.shape == (SIDE, SIDE, 3)
    assert (truth[:60] != GREY).any()
    assert (truth[200:] == GREY).all()
    assert (truth != prediction).any()


def test_nothing_to_draw_gives_none():
    assert draw(Image.new('RGB', (8, 8)), boxes('gt_instances', [1.0, 1, 2, 2]), 'pred') is None
