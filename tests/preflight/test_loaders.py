"""Data loaders and metrics are built before a run, without reading large annotation files at once."""
import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import check_loaders
from dmsca_mm.runtime.config import load_config

DIGITS = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'


@pytest.fixture
def config(repository):
    return load_config(str(repository / DIGITS))


def test_data_set_that_its_library_cannot_build_is_named(config, digits):
    for split in ('train', 'val', 'test'):
        config[f'{split}_dataloader'].dataset.data_root = f'{digits}/'
    for split in ('val', 'test'):
        config[f'{split}_evaluator'].ann_file = f'{digits}/annotations/instances_validation.json'
    check_loaders(config)
    config.val_dataloader.dataset.img_sufix = '.png'
    with pytest.raises(UsageError, match=r"val_dataloader cannot be built: TypeError: .*'img_sufix'"):
        check_loaders(config)


def test_metric_that_its_library_cannot_build_is_named_and_no_folder_is_made(repository, digits, tmp_path):
    config = load_config(str(repository / 'configs/digits/upernet_r50_dmsca_digits.py'))
    for split in ('train', 'val', 'test'):
        config[f'{split}_dataloader'].dataset.data_root = f'{digits}/'
    config.test_evaluator = dict(type='IoUMetric', output_dir=str(tmp_path / 'out'))
    check_loaders(config)
    assert not (tmp_path / 'out').exists()
    config.val_evaluator = dict(type='CityscapesMetric')
    with pytest.raises(UsageError, match=r"metric CityscapesMetric of val_dataloader cannot be built: .*'output_dir'"):
        check_loaders(config)


def test_loaders_of_detection_read_no_annotations(config):
    """``check_data`` checks that the file exists and reads it entry by entry."""
    for split in ('train', 'val', 'test'):
        config[f'{split}_dataloader'].dataset.update(data_root='nowhere/', filter_cfg=dict(min_size=32))
        config[f'{split}_evaluator'] = dict(type='CocoMetric', metric='bbox') if split != 'train' else None
    before = Config(config.to_dict())
    check_loaders(config)
    assert config.to_dict() == before.to_dict()


def test_images_chosen_by_their_position_are_those_of_the_file(config, digits):
    for split in ('train', 'val', 'test'):
        config[f'{split}_dataloader'].dataset.update(data_root=f'{digits}/', metainfo=dict(classes=('3',)),
                                                     filter_cfg=None, indices=[0, 2])
    for split in ('val', 'test'):
        config[f'{split}_evaluator'].ann_file = f'{digits}/annotations/instances_validation.json'
    check_loaders(config)


@pytest.mark.parametrize('change', [dict(batch_size=0), dict(sampler=dict(type='DefaultSampler', shufle=True)),
                                    dict(num_workers=-1)])
def test_argument_that_torch_refuses_is_named(change, config):
    config.train_dataloader.update(change)
    with pytest.raises(UsageError, match=r'^train_dataloader cannot be built: '):
        check_loaders(config)
