"""A subset of the test data gives the metrics of that subset, or is refused."""
import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image

from dmsca_mm.analysis.robustness.cells import CLEAN
from dmsca_mm.analysis.robustness.evaluation import Evaluation
from dmsca_mm.analysis.robustness.subset import take
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.config import load_config


def detector_options(root):
    return {'test_dataloader.dataset.data_root': f'{root}/',
            'test_evaluator.ann_file': f'{root}/annotations/instances_validation.json'}


def test_coco_metrics_of_the_first_images_count_no_image_beyond_them(untrained, digits, monkeypatch, tmp_path):
    """A model that finds exactly the annotations of the first two of five images has a perfect score on them."""
    first = {'test_dataloader.dataset.indices': 2}
    options = {**detector_options(digits), **first}
    evaluation = Evaluation(*untrained('detector'), options, None, str(tmp_path), True, 0)

    def truth(batch):
        for sample in batch['data_samples']:
            boxes = sample.gt_instances.bboxes.tensor / torch.tensor(sample.scale_factor).repeat(2)
            sample.pred_instances = InstanceData(bboxes=boxes, labels=sample.gt_instances.labels,
                                                 scores=torch.ones(len(boxes)))
        return batch['data_samples']
    monkeypatch.setattr(evaluation.model, 'test_step', truth)
    assert evaluation(CLEAN)['coco/bbox_mAP'] == pytest.approx(1)


@pytest.mark.parametrize('number', [0, 6])
def test_a_number_that_the_data_do_not_have_is_refused(number, untrained, digits):
    config = load_config(untrained('detector')[0], detector_options(digits))
    with pytest.raises(UsageError, match=rf'--images {number}: the test data have 5, give 1 to 5'):
        take(config, number)


def test_images_without_an_annotation_are_refused(untrained, digits, tmp_path):
    root = shutil.copytree(digits, tmp_path / 'digits')
    path = root / 'annotations/instances_validation.json'
    content = json.loads(path.read_text())
    first = content['images'][0]['id']
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != first]
    path.write_text(json.dumps(content))
    config = load_config(untrained('detector')[0], detector_options(root))
    with pytest.raises(UsageError, match='none of these 1 of 5 test images has an annotation'):
        take(config, 1)
    take(config, 2)
    assert config.test_dataloader.dataset.indices == [0, 2]


def test_label_maps_that_are_void_are_refused(untrained, digits, tmp_path):
    root = shutil.copytree(digits, tmp_path / 'digits')
    config = load_config(untrained('segmenter')[0], {'test_dataloader.dataset.data_root': f'{root}/'})
    first, *_ = sorted((root / config.test_dataloader.dataset.data_prefix.seg_map_path).iterdir())
    Image.fromarray(np.full((160, 160), 255, np.uint8)).save(first)
    with pytest.raises(UsageError, match='none of these 1 of 5 test images has an annotation'):
        take(config, 1)
    take(config, 2)
