"""A file whose output differs from the model's is detected."""
from types import SimpleNamespace

import onnxruntime
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from dmsca_mm.analysis.inference import Images, open_model
from dmsca_mm.errors import UsageError
from dmsca_mm.export.comparison import compare
from dmsca_mm.export.graph import INPUT, function_of

BOXES = torch.tensor([[10.0, 10, 50, 50], [60, 60, 90, 90]])
SCORES, LABELS = torch.tensor([0.9, 0.6]), torch.tensor([1, 2])


@pytest.fixture
def compared(monkeypatch):
    """Compare the output of a file with that of a model on an image."""
    def run(found, expected):
        values = [value[None].numpy() for value in found]
        monkeypatch.setattr(onnxruntime, 'InferenceSession',
                            lambda *_, **__: SimpleNamespace(run=lambda *_: values))
        if len(expected) == 1:
            result = SimpleNamespace(pred_sem_seg=SimpleNamespace(data=expected[0][None]))
        else:
            result = SimpleNamespace(pred_instances=InstanceData(bboxes=expected[0], scores=expected[1],
                                                                 labels=expected[2]))
        head = SimpleNamespace(test_cfg=ConfigDict(score_thr=0.05, max_per_img=3))
        model = SimpleNamespace(bbox_head=head, data_preprocessor=lambda batch, _: dict(batch, data_samples=[]),
                                predict=lambda *_, **__: [result])
        return compare('file.onnx', model, [dict(inputs=[torch.zeros(3, 8, 8)])])
    return run


def test_same_boxes_in_another_order_agree(compared):
    found = compared((BOXES.flip(0) + 0.01, SCORES.flip(0) + 1e-5, LABELS.flip(0)), (BOXES, SCORES, LABELS))
    assert (found.images, found.boxes) == (1, 2)
    assert 0.99 < found.iou < 1
    assert 1e-6 < found.score < 1e-4
    assert 'least IoU 0.99' in str(found)


def test_rows_without_a_box_do_not_count(compared):
    rows = torch.cat([BOXES, torch.zeros(1, 4)]), torch.cat([SCORES, torch.zeros(1)]), torch.tensor([1, 2, -1])
    assert compared(rows, (BOXES, SCORES, LABELS)).boxes == 2


@pytest.mark.parametrize('changed', [
    (BOXES + 3, SCORES, LABELS), (BOXES, SCORES + torch.tensor([0.01, 0]), LABELS), (BOXES, SCORES, LABELS.flip(0)),
    (BOXES[1:], SCORES[1:], LABELS[1:]), (BOXES[:1], SCORES[:1], LABELS[:1])],
    ids=['moved', 'another score', 'another label', 'best missing', 'last missing'])
def test_other_boxes_disagree(compared, changed):
    for found, expected in ((changed, (BOXES, SCORES, LABELS)), ((BOXES, SCORES, LABELS), changed)):
        with pytest.raises(UsageError, match=r'disagree: the box \[\d+, .* is found by only one of them'):
            compared(found, expected)


@pytest.mark.parametrize('empty_side', ['file', 'model'])
def test_an_only_box_that_is_missing_disagrees(compared, empty_side):
    empty, one = (BOXES[:0], SCORES[:0], LABELS[:0]), (BOXES[:1], SCORES[:1], LABELS[:1])
    with pytest.raises(UsageError, match='is found by only one of them'):
        compared(*((empty, one) if empty_side == 'file' else (one, empty)))


def test_boxes_at_the_edge_may_be_missing(compared):
    """The edge is the score threshold, or the lowest score if a side has the maximum number of boxes per image."""
    least = torch.tensor([0.9, 0.0505])
    assert compared((BOXES[:1], SCORES[:1], LABELS[:1]), (BOXES, least, LABELS)).boxes == 1
    boxes, labels = torch.cat([BOXES, BOXES[:1] + 100, BOXES[1:] + 200]), torch.tensor([1, 2, 1, 2])
    scores = torch.tensor([0.9, 0.6, 0.3, 0.2995])
    full, other = (tuple(part[places] for part in (boxes, scores, labels)) for places in ([0, 1, 2], [0, 1, 3]))
    assert compared(full, other).boxes == 2


def test_nothing_found_proves_nothing(compared):
    empty = torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long)
    with pytest.raises(UsageError, match=r'finds nothing on 1 images.*--images'):
        compared(empty, empty)


def test_labels_of_pixels(compared):
    labels = torch.arange(64).reshape(8, 8) % 5
    assert compared((labels,), (labels.clone(),)).pixels == 1
    with pytest.raises(UsageError, match=r'0\.9844 of the pixels'):
        compared((labels,), (torch.where(torch.arange(64).reshape(8, 8) == 7, 9, labels),))


def test_image_that_the_pipeline_has_resized_is_compared_at_its_new_size(monkeypatch, untrained, digits):
    config, model = open_model(*untrained('segmenter'))
    function = function_of(model)

    def run(_, feed):
        with torch.no_grad():
            return [function(torch.from_numpy(feed[INPUT])).numpy()]
    monkeypatch.setattr(onnxruntime, 'InferenceSession', lambda *_, **__: SimpleNamespace(run=run))
    steps = config.test_dataloader.dataset.pipeline
    steps.insert(len(steps) - 1, dict(type='Resize', scale=(96, 96), keep_ratio=False))
    batch = Images(config).batch([next((digits / 'images/validation').glob('*'))])
    assert batch['inputs'][0].shape == (3, 96, 96)
    assert compare('file.onnx', model, [batch]).pixels > 0.999
