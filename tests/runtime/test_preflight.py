"""What is wrong is said before a run starts: the thing, the value, the way out."""
import json

import pytest
from mmengine.config import Config

from dmsca_mm import dmsca, plugin
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import preflight


def model(**backbone):
    return Config(dict(model=dict(backbone=dict(type='mmdet.ResNet', depth=50, **backbone))))


def test_good_model_passes_unchanged():
    other = dict(cfg=dict(type='ContextBlock', ratio=0.1), position='after_conv3')
    config = model(plugins=[plugin(reduction=8), other])
    before = config.to_dict()
    preflight.check_model(config)
    assert config.to_dict() == before


@pytest.mark.parametrize(('config', 'words'), [
    (Config(dict(model=dict(type='X'))), ['no model.backbone']),
    (Config(dict(model=dict(backbone=dict(type='mmdet.HRNet', plugins=[dmsca])))), ['HRNet', 'no plugins']),
    (model(plugins=[dict(dmsca, cfg=dict(type='DMSCA', reduction=0))]), ['DMSCA', 'reduction', '0']),
    (model(plugins=[dict(dmsca, cfg=dict(type='DMSCA', width=3))]), ['DMSCA', 'width']),
    (model(plugins=[dict(dmsca, stages=(True, True))]), ['(True, True)', '4 stages'])])
def test_bad_model_is_named(config, words):
    with pytest.raises(UsageError) as caught:
        preflight.check_model(config)
    assert all(word in str(caught.value) for word in words)


def data(root, ann_file='annotations/instances_train2017.json', folder='train2017'):
    inner = dict(type='CocoDataset', data_root=str(root), ann_file=ann_file, data_prefix=dict(img=folder))
    return Config(dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner))))


def test_good_data_passes(tiny_coco, tiny_ade):
    preflight.check_data(data(tiny_coco), ('train_dataloader', 'val_dataloader'))
    prefix = dict(img_path='images/training', seg_map_path='annotations/training')
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=prefix)
    preflight.check_data(Config(dict(train_dataloader=dict(dataset=ade))), ('train_dataloader',))


@pytest.mark.parametrize(('change', 'words'), [
    (dict(folder='train'), ['train_dataloader', 'folder', 'does not exist', 'cocodataset.org']),
    (dict(ann_file='annotations/none.json'), ['train_dataloader', 'none.json', 'does not exist', 'cocodataset.org'])])
def test_missing_data_is_named_with_its_source(change, words, tiny_coco):
    with pytest.raises(UsageError) as caught:
        preflight.check_data(data(tiny_coco, **change), ('train_dataloader',))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(('content', 'words'), [
    ('{"images": [', 'is not JSON'), ('', 'is not JSON'), (b'\xff\xfe\x00', 'is not JSON'),
    (json.dumps(dict(images=[])), 'lists no images'), ('[1, 2]', 'lists no images')])
def test_bad_annotation_file_is_named(content, words, tmp_path):
    (tmp_path / 'train2017').mkdir()
    (tmp_path / 'train2017/notes.txt').touch()
    path = tmp_path / 'bad.json'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=words) as caught:
        preflight.check_data(data(tmp_path, ann_file='bad.json'), ('train_dataloader',))
    assert str(path) in str(caught.value)


def test_empty_folder_is_named(tmp_path):
    (tmp_path / 'train2017').mkdir()
    with pytest.raises(UsageError, match='is empty'):
        preflight.check_data(data(tmp_path), ('train_dataloader',))


def small_coco(root, categories=('cat',), classes=None, name='1.png'):
    """An annotation file of one image in its own folder; the image is not made."""
    (root / 'images').mkdir()
    (root / 'images/readme.txt').touch()
    (root / 'small.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name=name)], annotations=[],
        categories=[dict(id=i, name=name) for i, name in enumerate(categories)])))
    config = data(root, 'small.json', 'images')
    if classes:
        config.train_dataloader.dataset.dataset.metainfo = dict(classes=classes)
    return config


def test_class_that_the_annotations_lack_is_named(tmp_path):
    config = small_coco(tmp_path, ('cat', 'dog'), ('cat', 'cow'))
    with pytest.raises(UsageError, match=r"no category 'cow', which metainfo.classes names; it has cat, dog"):
        preflight.check_data(config, ('train_dataloader',))


def test_image_that_is_listed_and_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r'image .*1\.png does not exist, though .*small\.json lists it'):
        preflight.check_data(small_coco(tmp_path), ('train_dataloader',))


@pytest.mark.parametrize('content', [b'', b'no image', b'\x89PNG\r\n\x1a\n'])
def test_image_that_cannot_be_opened_is_named(content, tmp_path):
    config = small_coco(tmp_path)
    (tmp_path / 'images/1.png').write_bytes(content)
    with pytest.raises(UsageError, match=rf'1\.png \({len(content)} bytes\) cannot be opened'):
        preflight.check_data(config, ('train_dataloader',))


def test_images_are_sampled_over_the_whole_list(tmp_path, monkeypatch):
    config, opened = small_coco(tmp_path), []
    listed = dict(images=[dict(id=i, file_name=f'{i}.png') for i in range(100)], annotations=[], categories=[])
    (tmp_path / 'small.json').write_text(json.dumps(listed))
    monkeypatch.setattr(preflight, '_check_images', lambda paths, *rest: opened.extend(path.name for path in paths))
    preflight.check_data(config, ('train_dataloader',))
    opened.remove('readme.txt')
    assert len(opened) <= preflight.SAMPLE
    assert opened[0] == '0.png'
    assert int(opened[-1].split('.')[0]) > 90


def test_remote_data_is_not_looked_for():
    preflight.check_data(data('s3://bucket/coco/'), ('train_dataloader',))


@pytest.mark.parametrize('where', [dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
                                   dict(pretrained='torchvision://resnet50')])
def test_torchvision_weights_without_torchvision_name_the_way_out(where, monkeypatch):
    monkeypatch.setattr(preflight, 'find_spec', lambda name: None)
    with pytest.raises(UsageError, match='torchvision, which is not installed') as caught:
        preflight.check_weights(model(**where))
    assert 'https://download.pytorch.org/models/resnet50-0676ba61.pth' in str(caught.value)


def test_missing_local_weights_are_named(tmp_path):
    with pytest.raises(UsageError, match='does not exist'):
        preflight.check_weights(model(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'none.pth'))))


def test_weights_with_an_address_are_left_to_the_loader():
    preflight.check_weights(model(pretrained='open-mmlab://resnet50_v1c'))


def test_work_directory_with_checkpoints_is_not_overwritten_silently(tmp_path):
    preflight.check_work_directory(tmp_path / 'new', resume=False, overwrite=False)
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(UsageError, match=r'epoch_1\.pth.*--resume.*--work-dir.*--overwrite'):
        preflight.check_work_directory(tmp_path, resume=False, overwrite=False)
    preflight.check_work_directory(tmp_path, resume=True, overwrite=False)
    preflight.check_work_directory(tmp_path, resume=False, overwrite=True)
