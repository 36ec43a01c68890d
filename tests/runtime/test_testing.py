"""Prepare a test from a config and a checkpoint, without running it; tests/tools runs it."""
from pathlib import Path

import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import testing

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


def test_testing_fetches_no_pretrained_weights_and_draws_where_told(kept, tmp_path):
    config = kept(testing.test, RETINANET, 'x.pth', work_dir=str(tmp_path), show_dir='pictures')
    assert config.model.backbone.init_cfg is None
    assert config.load_from == 'x.pth'
    assert config.default_hooks.visualization.test_out_dir == str(Path('pictures').absolute())
    assert config.default_hooks.visualization.interval == 1


def test_segmenter_writes_label_maps_to_a_folder(kept, tmp_path):
    upernet = 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py'
    maps = str(tmp_path / 'maps')
    config = kept(testing.test, upernet, 'x.pth', work_dir=str(tmp_path), out=maps, show_dir='pictures')
    assert (config.test_evaluator.output_dir, config.test_evaluator.keep_results) == (maps, True)
    assert config.visualizer.save_dir == str(Path('pictures').absolute())


def test_label_maps_are_written_by_the_metric_of_a_list(kept, repository, tmp_path):
    own = tmp_path / 'own.py'
    own.write_text(f"_base_ = '{repository}/configs/digits/upernet_r50_dmsca_digits.py'\n"
                   "test_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU'])]\n")
    maps = str(tmp_path / 'maps')
    config = kept(testing.test, str(own), 'x.pth', work_dir=str(tmp_path), out=maps)
    assert config.test_evaluator[0].output_dir == maps


def test_test_time_augmentation_tests_several_views(untrained, digits, tmp_path):
    views = [[dict(type='Resize', scale=(160, 160))],
             [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
             [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]]
    options = {'test_dataloader.dataset.data_root': f'{digits}/', 'tta_model': dict(type='SegTTAModel'),
               'tta_pipeline': [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)]}
    alone, together = (testing.test(*untrained('segmenter'), work_dir=str(tmp_path / str(tta)), tta=tta,
                                    cfg_options=options) for tta in (False, True))
    assert alone.keys() == together.keys()
    assert alone != together


def test_test_time_augmentation_needs_a_config_for_it(tmp_path):
    with pytest.raises(UsageError, match='--tta needs tta_model'):
        testing.test(RETINANET, 'x.pth', work_dir=str(tmp_path), tta=True, cfg_options=dict(tta_model=None))
