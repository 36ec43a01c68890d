"""Segmenters as one function of images: the same labels as mmseg."""
import copy

import pytest
import torch
from mmengine.registry import MODELS

from dmsca_mm.analysis.inference import Images, open_model
from dmsca_mm.errors import UsageError
from dmsca_mm.export.graph import function_of


def test_labels_are_those_of_mmseg(untrained, digits):
    config, model = open_model(*untrained('segmenter'))
    batch = Images(config).batch(sorted((digits / 'images/validation').glob('*'))[:2])
    data = model.data_preprocessor(copy.deepcopy(batch), False)
    with torch.no_grad():
        labels = function_of(model)(torch.stack(batch['inputs']).float())
        expected = model.predict(data['inputs'], data['data_samples'])
    for own, each in zip(labels, expected, strict=True):
        assert (own == each.pred_sem_seg.data[0]).double().mean() > 0.9999  # pooling sums in another order
        assert len(own.unique()) > 1


@pytest.mark.parametrize(('options', 'words'), [
    ({'model.test_cfg': dict(_delete_=True, mode='slide', crop_size=(64, 64), stride=(32, 32))}, 'mode=whole'),
    ({'model.data_preprocessor.test_cfg': dict(size_divisor=32)}, 'model.data_preprocessor.test_cfg=None'),
    ({'model.decode_head': dict(_delete_=True, type='DAHead', in_channels=128, in_index=3, channels=8, pam_channels=8,
                                num_classes=11)}, 'DAHead cannot be exported: it has a post-processing of its own'),
    ({'model.decode_head.num_classes': 2, 'model.decode_head.out_channels': 1}, 'two output channels')])
def test_what_has_no_such_function_is_refused(options, words, untrained):
    config, _ = open_model(*untrained('segmenter'))
    config.merge_from_dict(options)
    with pytest.raises(UsageError, match=words):
        function_of(MODELS.build(config.model))
