"""Detectors as one function of images: bit-identical to mmdet's post-processing for each image of a batch."""
import copy

import pytest
import torch
from mmengine.registry import MODELS

from dmsca_mm.analysis.inference import Images, open_model
from dmsca_mm.errors import UsageError
from dmsca_mm.export.graph import function_of
from dmsca_mm.runtime.config import load_config

NEUTRAL = {f'model.test_cfg.nms.{name}': value for name, value in dict(
    class_agnostic=False, score_threshold=0, max_num=-1, offset=0, split_thr=10).items()}


@pytest.mark.parametrize(('kind', 'options'), [
    ('detector', {}), ('one-stage', {}), ('one-stage', NEUTRAL),
    ('detector', {'model.test_cfg.rpn.max_per_img': 5000, 'model.test_cfg.rcnn.score_thr': 0.0}),
    ('detector', {'model.test_cfg.rpn.min_bbox_size': 20})],
    ids=['detector', 'one-stage', 'neutral settings', 'more places than proposals', 'no small proposals'])
def test_boxes_scores_and_labels_are_those_of_mmdet(kind, options, untrained, digits):
    _check_as_mmdet(*open_model(*untrained(kind), options), digits)


def test_boxes_shared_by_all_classes_are_those_of_mmdet(untrained, digits):
    config, _ = open_model(*untrained('detector'))
    config.model.roi_head.bbox_head.reg_class_agnostic = True
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    _check_as_mmdet(config, model, digits)


def _check_as_mmdet(config, model, digits):
    """Check that the function of a model gives mmdet's boxes, scores and labels, bit for bit."""
    batch = Images(config).batch(sorted((digits / 'images/validation').glob('*'))[:3])
    data = model.data_preprocessor(copy.deepcopy(batch), False)
    with torch.no_grad():
        boxes, scores, labels = function_of(model)(torch.stack(batch['inputs']).float())
        expected = model.predict(data['inputs'], data['data_samples'], rescale=False)
    for place, each in enumerate(expected):
        found = each.pred_instances
        assert len(found) > 0
        assert (labels[place] >= 0).sum() == len(found)
        torch.testing.assert_close(boxes[place, :len(found)], found.bboxes, rtol=0, atol=0)
        torch.testing.assert_close(scores[place, :len(found)], found.scores, rtol=0, atol=0)
        assert torch.equal(labels[place, :len(found)], found.labels)
        assert not boxes[place, len(found):].any()
        assert not scores[place, len(found):].any()


def test_where_nothing_is_found_no_row_is_a_box(untrained):
    _, model = open_model(*untrained('one-stage'), {'model.test_cfg.score_thr': 0.99})
    with torch.no_grad():
        boxes, scores, labels = function_of(model)(torch.full((2, 3, 160, 160), 120.0))
    assert boxes.shape == (2, model.test_cfg.max_per_img, 4)
    assert not boxes.any()
    assert not scores.any()
    assert (labels == -1).all()


@pytest.mark.parametrize(('kind', 'options', 'words'), [
    ('detector', {'model.test_cfg.rpn.nms.type': 'soft_nms'}, "nms of type 'soft_nms' cannot be exported"),
    ('detector', {'model.test_cfg.rcnn.nms.type': 'soft_nms'}, "nms of type 'soft_nms' cannot be exported"),
    ('one-stage', {'model.test_cfg.nms.type': 'soft_nms'}, "nms of type 'soft_nms' cannot be exported"),
    ('one-stage', {'model.test_cfg.nms.class_agnostic': True}, 'nms.class_agnostic=True in test_cfg .*: remove'),
    ('one-stage', {'model.test_cfg.nms.max_num': 5}, 'nms.max_num=5 in test_cfg cannot be exported'),
    ('detector', {'model.test_cfg.rpn.nms.score_threshold': 0.1}, 'nms.score_threshold=0.1 in test_cfg cannot'),
    ('detector', {'model.test_cfg.rcnn.nms.offset': 1}, 'nms.offset=1 in test_cfg cannot be exported'),
    ('detector', {'model.test_cfg.rcnn.nms.iou_thr': 0.4}, 'nms.iou_thr=0.4 in test_cfg cannot be exported'),
    ('detector', {'model.roi_head.bbox_head.loss_cls.type': 'SeesawLoss',
                  'model.roi_head.bbox_head.loss_cls.num_classes': 10},
     'loss_cls=SeesawLoss of .* cannot be exported'),
    ('one-stage', {'model.bbox_head.loss_cls.type': 'FocalCustomLoss', 'model.bbox_head.loss_cls.num_classes': 10},
     'loss_cls=FocalCustomLoss of RetinaHead cannot be exported'),
    ('one-stage', {'model.test_cfg.nms_pre': -1}, 'nms_pre=-1 of RetinaHead cannot be exported'),
    ('detector', {'model.test_cfg.rcnn.max_per_img': -1}, 'max_per_img=-1 cannot be exported'),
    ('detector', {'model.roi_head.bbox_roi_extractor.roi_layer.aligned': False}, 'aligned=False cannot be exported'),
    ('detector', {'model.roi_head.bbox_roi_extractor.roi_layer': dict(_delete_=True, type='RoIPool', output_size=7)},
     'SingleRoIExtractor with RoIPool cannot be exported'),
    ('detector', {'model.roi_head.bbox_roi_extractor.type': 'GenericRoIExtractor'},
     'GenericRoIExtractor with RoIAlign cannot be exported'),
    ('detector', {'model.roi_head.type': 'DoubleHeadRoIHead', 'model.roi_head.reg_roi_scale_factor': 1.3},
     'DoubleHeadRoIHead with its parts cannot be exported')])
def test_what_has_no_such_function_is_refused(kind, options, words, untrained):
    config, _ = open_model(*untrained(kind))
    config.merge_from_dict(options)
    with pytest.raises(UsageError, match=words):
        function_of(MODELS.build(config.model))


def test_nms_without_a_type_is_exported_as_mmcvs_default(untrained):
    _, model = open_model(*untrained('one-stage'))
    del model.bbox_head.test_cfg.nms['type']
    function_of(model)


def test_head_with_a_centerness_is_refused():
    config = load_config('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py')
    with pytest.raises(UsageError, match='FCOSHead cannot be exported'):
        function_of(MODELS.build(config.model))
