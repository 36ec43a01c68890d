"""Examples show what the model says of the first test images, beside the truth of the data set."""
import json

import numpy as np
import pytest
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.insight.predictions import colour, draw_boxes, draw_classes
from dmsca_mm.runtime.inference import open_model
from dmsca_mm.runtime.report.examples import examples


@pytest.fixture
def opened(untrained, digits):
    def make(kind):
        return open_model(*untrained(kind), {'test_dataloader.dataset.data_root': f'{digits}/'})
    return make


def test_detector_s_truth_is_the_annotations(opened, digits):
    config, model = opened('detector')
    model.roi_head.bbox_head.fc_cls.weight.data.zero_()
    model.roi_head.bbox_head.fc_cls.bias.data.zero_()[7] = 9  # says 7 everywhere
    found = examples(config, model, 2)
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


def test_segmenter_s_truth_is_the_label_map_and_the_legend_names_what_is_seen(opened, digits):
    config, model = opened('segmenter')
    one, = examples(config, model, 1)
    labels = np.asarray(Image.open(digits / f'annotations/validation/{one.path.stem}.png')).astype(int) - 1
    palette = config.metainfo.palette
    assert np.array_equal(np.asarray(one.truth), np.asarray(draw_classes(Image.open(one.path), labels, palette)))
    assert one.prediction.size == one.truth.size
    assert {config.metainfo.classes[label] for label in np.unique(labels)} <= {name for name, _ in one.legend}
    assert dict(one.legend)['background'] == (0, 0, 0)


def test_data_without_annotations_has_no_truth(opened):
    config, model = opened('detector')
    dataset = config.test_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'LoadAnnotations']
    assert [one.truth for one in examples(config, model, 99)] == [None] * 5


def test_what_keeps_images_from_being_shown_is_said(opened, tmp_path):
    config, model = opened('detector')
    dataset = config.test_dataloader.dataset
    dataset.pipeline[1]['scale'] = 'wide'
    with pytest.raises(UsageError, match='could not be run on the test images'):
        examples(config, model, 1)
    dataset.data_root = str(tmp_path / 'none')
    with pytest.raises(UsageError, match=r'none.* does not exist'):
        examples(config, model, 1)
    config.pop('test_dataloader')
    with pytest.raises(UsageError, match='no test_dataloader'):
        examples(config, model, 1)
