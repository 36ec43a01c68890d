"""The labels that the config ignores in its heads, losses, metrics and padding are the ignored ones in the data."""
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import check_test, check_train
from dmsca_mm.preflight.ignored import check_agreement, check_labels, ignored_labels

CLASSES = ('sky', 'road', 'car')
VOID = len(CLASSES)
"""The label of pixels without a class, as in CamVid: the first number after the classes."""


@pytest.fixture
def streets(tmp_path):
    """Two images and label maps that hold every class and void."""
    for number in range(2):
        for folder in ('images', 'labels'):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new('RGB', (8, 8)).save(tmp_path / f'images/{number}.png')
        labels = np.arange(64, dtype=np.uint8).reshape(8, 8) % (VOID + 1)
        Image.fromarray(labels).save(tmp_path / f'labels/{number}.png')
    return tmp_path


def segmenter(root, heads=VOID, auxiliary=VOID, data=VOID, metric=VOID, padding=VOID, **loss):
    """A user's config; None keeps the library's default ignored label, 255."""
    def ignoring(label):
        return {} if label is None else dict(ignore_index=label)
    head = dict(type='FCNHead', in_channels=8, channels=4, num_classes=len(CLASSES))
    pad = {} if padding is None else dict(seg_pad_val=padding)
    loader = dict(batch_size=1, dataset=dict(
        type='BaseSegDataset', data_root=str(root), data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=CLASSES), img_suffix='.png', **ignoring(data),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]))
    evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'], **ignoring(metric))
    return Config(dict(
        default_scope='mmseg', train_dataloader=loader, val_dataloader=loader, test_dataloader=loader,
        val_evaluator=evaluator, test_evaluator=evaluator,
        model=dict(type='EncoderDecoder', backbone=dict(type='ResNet', depth=50),
                   data_preprocessor=dict(type='SegDataPreProcessor', size=(16, 16), **pad),
                   decode_head=dict(**head, loss_decode=loss or dict(type='CrossEntropyLoss'), **ignoring(heads)),
                   auxiliary_head=[dict(**head, **ignoring(auxiliary))])))


def test_another_ignored_label_than_255_is_the_config_s_own_choice(streets):
    config = segmenter(streets)
    assert check_train(config, 1) == []
    assert check_test(config) == []
    assert ignored_labels(config) == (255, VOID)


@pytest.mark.parametrize(('places', 'head'), [
    (dict(heads=None), 'model.decode_head has 3 classes and ignore_index=255'),
    (dict(auxiliary=None), 'model.auxiliary_head.0 has 3 classes and ignore_index=255'),
    (dict(heads=None, auxiliary=None, data=None, metric=None, padding=None), 'model.decode_head')])
def test_a_head_that_does_not_ignore_it_ends_the_training_and_is_named(places, head, streets):
    with pytest.raises(UsageError, match=rf'labels/0\.png holds label 3, and 3 classes .* go to 2: {head}.*, and its '
                                         r'CrossEntropyLoss fails on it; set ignore_index=3'):
        check_train(segmenter(streets, **places), 1)


def test_a_loss_with_an_ignored_label_of_its_own_is_named(streets):
    loss = dict(type='OhemCrossEntropy', min_kept=10)  # used by PIDNet and DDRNet
    with pytest.raises(UsageError, match=r'model\.decode_head ignores it, and its OhemCrossEntropy has an ignored '
                                         r'label of its own'):
        check_train(segmenter(streets, **loss), 1)
    assert check_train(segmenter(streets, **loss, ignore_label=VOID), 1) == []


def test_a_loss_that_takes_it_for_no_class_is_a_warning(streets):
    config = segmenter(streets, heads=None, auxiliary=None, type='DiceLoss')
    config.model.auxiliary_head = None
    found = check_train(config, 1)
    assert any('model.decode_head, which ignores 255, trains on these pixels as none of its classes' in line
               for line in found), found


@pytest.mark.parametrize(('places', 'words'), [
    (dict(data=None), None),  # mmseg's data sets do not use it
    (dict(data=7), 'model.decode_head.ignore_index is 3 and that of train_dataloader.dataset is 7'),
    (dict(metric=None), 'model.decode_head.ignore_index is 3 and that of val_evaluator is 255'),
    (dict(padding=None), 'model.data_preprocessor.seg_pad_val is 255, and model.decode_head ignores 3: an image that '
                         'has to be padded would end the training; set seg_pad_val=3')])
def test_places_that_disagree_are_a_warning(places, words, streets):
    found = check_agreement(segmenter(streets, **places))
    assert words is None or any(words in line for line in found), found
    assert (words is None) == (found == [])


def test_pixels_that_the_metric_would_count_as_wrong_are_a_warning(streets):
    warning, = check_test(segmenter(streets, metric=None))
    assert 'test_evaluator, which ignores 255, counts these pixels as wrong; set its ignore_index=3' in warning


@pytest.mark.parametrize(('labels', 'beyond'), [((0, 1, 2), None), ((0, 255), None), ((0, 3), 3), ((2, 254), 254)])
def test_by_default_255_is_ignored_and_every_other_label_beyond_the_classes_is_named(labels, beyond):
    config, paths = segmenter('.', None, None, None, None, None), dict.fromkeys(labels, Path('labels.png'))
    if beyond is None:
        assert check_labels(config, paths, 3, False, 'train_dataloader') == []
    else:
        with pytest.raises(UsageError, match=rf'labels\.png holds label {beyond}, and 3 classes'):
            check_labels(config, paths, 3, False, 'train_dataloader')


def test_what_is_no_segmenter_ignores_nothing_else():
    config = Config(dict(default_scope='mmdet', model=dict(bbox_head=dict(num_classes=3))))
    assert check_agreement(config) == []
    assert ignored_labels(config) == (255,)
