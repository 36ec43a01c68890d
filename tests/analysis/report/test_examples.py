"""Examples show the predictions for the first test images next to their annotations."""
import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from dmsca_mm.analysis.attention_maps.prediction import Model
from dmsca_mm.analysis.drawing import draw
from dmsca_mm.analysis.report.examples import examples
from dmsca_mm.errors import UsageError


@pytest.fixture
def opened(untrained, digits):
    def make(kind, plugin=None):
        options = {'test_dataloader.dataset.data_root': f'{digits}/'}
        return Model(*untrained(kind, plugin), options, plugin)
    return make


def test_truth_of_a_detector_is_its_annotations(opened, digits):
    model = opened('detector')
    decides = model.model.roi_head.bbox_head.fc_cls
    decides.weight.data.zero_()
    decides.bias.data.zero_()[7] = 9  # predicts 7 everywhere
    found = examples(model, 2)
    content = json.loads((digits / 'annotations/instances_validation.json').read_text())
    assert [one.path.name for one in found] == [image['file_name'] for image in content['images'][:2]]
    for one, image in zip(found, content['images'], strict=False):
        own = [entry for entry in content['annotations'] if entry['image_id'] == image['id']]
        boxes = torch.tensor([entry['bbox'] for entry in own], dtype=torch.float)
        boxes[:, 2:] += boxes[:, :2]
        instances = InstanceData(bboxes=boxes, labels=torch.tensor([entry['category_id'] - 1 for entry in own]))
        expected = draw(Image.open(one.path), DetDataSample(gt_instances=instances), 'gt', '0123456789')
        assert np.array_equal(np.asarray(one.truth), np.asarray(expected))
        assert np.abs(np.asarray(one.prediction).astype(int) - np.asarray(one.truth)).max() > 100
        assert len({shown.tobytes() for shown in one.maps}) == 4, 'a map a stage'


def test_truth_of_a_segmenter_is_the_label_map(opened, digits):
    model = opened('segmenter', 'none')
    one, = examples(model, 1)
    labels = np.asarray(Image.open(digits / f'annotations/validation/{one.path.stem}.png')).astype(int) - 1
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels)[None]))
    metainfo = model.config.metainfo
    expected = draw(Image.open(one.path), sample, 'gt', metainfo.classes, metainfo.palette)
    assert np.array_equal(np.asarray(one.truth), np.asarray(expected))
    assert one.prediction.size == one.truth.size
    assert one.maps == [], 'a model without DMSCA'


def test_data_without_annotations_has_no_truth(opened):
    model = opened('detector')
    dataset = model.config.test_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'LoadAnnotations']
    assert [one.truth for one in examples(model, 99)] == [None] * 5


def test_reason_why_images_cannot_be_shown_is_named(opened, tmp_path):
    model = opened('detector')
    dataset = model.config.test_dataloader.dataset
    dataset.pipeline[1]['scale'] = 'wide'
    with pytest.raises(UsageError, match='could not be run on the test images'):
        examples(model, 1)
    dataset.data_root = str(tmp_path / 'none')
    with pytest.raises(UsageError, match=r'none.* does not exist'):
        examples(model, 1)
