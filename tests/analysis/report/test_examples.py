"""Examples show what the model says of the first test images, beside the truth of the data set."""
import json

import numpy as np
import pytest
from PIL import Image

from dmsca_mm.analysis.attention_maps.showing import Model
from dmsca_mm.analysis.predictions import colour, draw_boxes, draw_classes
from dmsca_mm.analysis.report.examples import examples
from dmsca_mm.errors import UsageError


@pytest.fixture
def opened(untrained, digits):
    def make(kind, plugin=None):
        options = {'test_dataloader.dataset.data_root': f'{digits}/'}
        return Model(*untrained(kind, plugin), options, plugin)
    return make


def test_detector_s_truth_is_the_annotations(opened, digits):
    model = opened('detector')
    decides = model.model.roi_head.bbox_head.fc_cls
    decides.weight.data.zero_()
    decides.bias.data.zero_()[7] = 9  # says 7 everywhere
    found = examples(model, 2)
    content = json.loads((digits / 'annotations/instances_validation.json').read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    assert [one.path.name for one in found] == [image['file_name'] for image in content['images'][:2]]
    for one, image in zip(found, content['images'], strict=False):
        own = [entry for entry in content['annotations'] if entry['image_id'] == image['id']]
        boxes = np.array([entry['bbox'] for entry in own])
        boxes[:, 2:] += boxes[:, :2]
        labels = [names[entry['category_id']] for entry in own]
        expected = draw_boxes(Image.open(one.path), boxes, [int(label) for label in labels], labels)
        assert np.abs(np.asarray(one.truth, int) - np.asarray(expected, int)).max() == 0
        assert (np.asarray(one.prediction) == colour(7)).all(-1).sum() > 500
        assert one.legend == []
        assert len({shown.tobytes() for shown in one.maps}) == 4, 'a map a stage'


def test_segmenter_s_truth_is_the_label_map_and_the_legend_names_what_is_seen(opened, digits):
    model = opened('segmenter', 'none')
    one, = examples(model, 1)
    labels = np.asarray(Image.open(digits / f'annotations/validation/{one.path.stem}.png')).astype(int) - 1
    classes, palette = model.config.metainfo.classes, model.config.metainfo.palette
    assert np.array_equal(np.asarray(one.truth), np.asarray(draw_classes(Image.open(one.path), labels, palette)))
    assert one.prediction.size == one.truth.size
    assert {classes[label] for label in np.unique(labels)} <= {name for name, _ in one.legend}
    assert dict(one.legend)['background'] == (0, 0, 0)
    assert one.maps == [], 'a model without DMSCA'


def test_data_without_annotations_has_no_truth(opened):
    model = opened('detector')
    dataset = model.config.test_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'LoadAnnotations']
    assert [one.truth for one in examples(model, 99)] == [None] * 5


def test_what_keeps_images_from_being_shown_is_said(opened, tmp_path):
    model = opened('detector')
    dataset = model.config.test_dataloader.dataset
    dataset.pipeline[1]['scale'] = 'wide'
    with pytest.raises(UsageError, match='could not be run on the test images'):
        examples(model, 1)
    dataset.data_root = str(tmp_path / 'none')
    with pytest.raises(UsageError, match=r'none.* does not exist'):
        examples(model, 1)
