"""Faults of the data are reported before a run starts: the thing, the value, the remedy."""
import json
import shutil

import pytest
from mmengine.config import Config
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import data as preflight
from dmsca_mm.preflight import detection
from dmsca_mm.preflight.samples import SAMPLE


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
    ('{"images": [', 'is no JSON object'), ('', 'is no JSON object'), (b'\xff\xfe\x00', 'is not JSON'),
    (json.dumps(dict(images=[])), 'lists no images'), ('[1, 2]', 'is no JSON object')])
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


def small_coco(root, categories=('cat',), classes=None, images=1):
    """An annotation file of images in a folder of their own; the images are not made."""
    (root / 'images').mkdir()
    (root / 'images/readme.txt').touch()
    (root / 'small.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.png', width=9, height=9) for i in range(1, images + 1)], annotations=[
            dict(id=1, image_id=1, category_id=0, bbox=[1, 1, 5, 5], area=25)],
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
    config, opened = small_coco(tmp_path, images=100), []
    for number in range(1, 101):
        (tmp_path / f'images/{number}.png').touch()
    monkeypatch.setattr(detection, 'check_images',
                        lambda paths, *rest, **more: opened.extend(path.name for path in paths))
    preflight.check_data(config, ('train_dataloader',))
    assert len(opened) <= SAMPLE
    assert opened[0] == '1.png'
    assert int(opened[-1].split('.')[0]) > 90


def test_remote_data_is_not_looked_for():
    preflight.check_data(data('s3://bucket/coco/'), ('train_dataloader',))



def test_data_set_that_is_registered_nowhere_is_named(tiny_coco):
    config = data(tiny_coco)
    config.default_scope = 'mmdet'
    config.train_dataloader.dataset.dataset.type = 'CocoDatset'
    with pytest.raises(UsageError, match="data set 'CocoDatset' is registered nowhere in mmdet"):
        preflight.check_data(config, ('train_dataloader',))


def test_images_that_training_leaves_out_do_not_stop_it(tmp_path):
    config = small_coco(tmp_path)
    (tmp_path / 'images/1.png').write_bytes(b'no image')
    assert preflight.check_data(config, ('train_dataloader',), skip_bad_images=True) == []


def test_labels_beyond_the_classes_are_named(tiny_ade):
    prefix = dict(img_path='images/training', seg_map_path='annotations/training')
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=prefix)
    config = Config(dict(default_scope='mmseg', train_dataloader=dict(dataset=ade)))
    assert preflight.check_data(config, ('train_dataloader',)) == [], 'the class itself ignores label 0'
    ade = dict(ade, type='BaseSegDataset', metainfo=dict(classes=list('abc')))
    model = dict(decode_head=dict(type='FCNHead', num_classes=3))
    with pytest.raises(UsageError, match=r'label map .*\.png holds label \d+, and 3 classes with '
                                         r'reduce_zero_label=False go to 2'):
        preflight.check_data(Config(dict(default_scope='mmseg', model=model, train_dataloader=dict(dataset=ade))),
                             ('train_dataloader',))


def test_files_that_the_data_set_does_not_read_are_left_alone(tiny_ade, tmp_path):
    broken = tmp_path / 'images/broken.jpg'
    for folder in ('images', 'annotations'):
        shutil.copytree(tiny_ade / folder / 'training', tmp_path / folder)
    for path in (broken, tmp_path / 'images/._00000001.jpg', tmp_path / 'annotations/colours.bmp'):
        path.write_bytes(b'no image')
    Image.new('L', (4, 4), 200).save(tmp_path / 'annotations/00000001_instances.png')
    (tmp_path / 'list.txt').write_text('00000001\n00000002\n')
    ade = dict(type='ADE20KDataset', data_root=str(tmp_path),
               data_prefix=dict(img_path='images', seg_map_path='annotations'))
    model = dict(decode_head=dict(type='FCNHead', num_classes=150))

    def check(**options):
        loader = dict(dataset=dict(ade, **options))
        return preflight.check_data(Config(dict(default_scope='mmseg', model=model, train_dataloader=loader)),
                                    ('train_dataloader',))

    assert check(ann_file='list.txt') == []
    with pytest.raises(UsageError, match=r'images/broken\.jpg .* cannot be opened'):
        check()
    broken.unlink()
    assert check() == []
    with Image.open(tmp_path / 'annotations/00000002.png') as image:
        Image.new('L', image.size, 200).save(tmp_path / 'annotations/00000002.png')
    with pytest.raises(UsageError, match=r'00000002\.png holds label 199'):
        check()


def test_label_maps_that_no_step_loads_need_not_be_there(tiny_ade):
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=dict(img_path='images/validation',
                                                                               seg_map_path='none'))
    steps = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    config = Config(dict(default_scope='mmseg', test_dataloader=dict(dataset=dict(ade, pipeline=steps))))
    assert preflight.check_data(config, ('test_dataloader',)) == []
    config.test_dataloader.dataset.pipeline.insert(1, dict(type='LoadAnnotations'))
    with pytest.raises(UsageError, match='none does not exist'):
        preflight.check_data(config, ('test_dataloader',))


def test_a_choice_among_the_classes_of_a_data_set_renumbers_the_labels(tiny_ade):
    prefix = dict(img_path='images/training', seg_map_path='annotations/training')
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=prefix,
               metainfo=dict(classes=('sky', 'wall')))
    config = Config(dict(default_scope='mmseg', model=dict(decode_head=dict(type='FCNHead', num_classes=2)),
                         train_dataloader=dict(dataset=ade)))
    assert preflight.check_data(config, ('train_dataloader',)) == []
    config.train_dataloader.dataset.metainfo.classes = ('sky', 'wal')
    with pytest.raises(UsageError, match=r"metainfo\.classes names 'wal', which ADE20KDataset does not have; it"):
        preflight.check_data(config, ('train_dataloader',))


def test_annotations_of_other_formats_than_coco_s_are_left_to_their_library(tmp_path):
    config = data(tmp_path, 'list.json', '')
    config.default_scope = 'mmdet'
    (tmp_path / 'list.json').write_text('{"metainfo": {}, "data_list": []}')
    config.train_dataloader.dataset.dataset.type = 'BaseDetDataset'
    assert preflight.check_data(config, ('train_dataloader',)) == []


@pytest.mark.parametrize(('kind', 'heads'), [
    ('CocoPanopticDataset', 80),  # its boxes are of things, the other 53 classes are stuff
    ('MOTChallengeDataset', 1)])  # of its 13 classes pedestrians alone are annotated
def test_heads_of_a_data_set_with_more_classes_than_boxes_have_fewer(kind, heads, tiny_coco):
    loader = data(tiny_coco).train_dataloader
    loader.dataset.dataset.type = kind
    config = Config(dict(default_scope='mmdet', model=dict(bbox_head=dict(num_classes=heads)), train_dataloader=loader))
    assert preflight.check_data(config, ('train_dataloader',)) == []


def test_images_to_be_submitted_have_no_annotations(tiny_coco, tmp_path):
    content = json.loads((tiny_coco / 'annotations/instances_val2017.json').read_text())
    del content['annotations']
    (tmp_path / 'test.json').write_text(json.dumps(content))
    config = Config(dict(default_scope='mmdet', test_dataloader=data(
        tiny_coco, str(tmp_path / 'test.json'), 'val2017').train_dataloader))
    config.test_dataloader.dataset.dataset.test_mode = True
    assert preflight.check_data(config, ('test_dataloader',)) == []


@pytest.mark.parametrize('reads_the_file', [True, False])
def test_crowds_are_marked_for_a_metric_that_reads_the_file_itself(reads_the_file, tiny_coco, tmp_path):
    content = json.loads((tiny_coco / 'annotations/instances_val2017.json').read_text())
    for entry in content['annotations']:
        del entry['iscrowd']
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(content))
    metric = dict(type='CocoMetric', **(dict(ann_file=str(path)) if reads_the_file else {}))
    config = Config(dict(default_scope='mmdet', val_evaluator=metric, val_dataloader=data(
        tiny_coco, str(path), 'val2017').train_dataloader))
    if reads_the_file:
        with pytest.raises(UsageError, match='iscrowd is missing'):
            preflight.check_data(config, ('val_dataloader',))
    else:
        assert preflight.check_data(config, ('val_dataloader',)) == []


def test_a_data_set_of_no_known_library_is_left_to_the_build(tiny_ade):
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=dict(
        img_path='images/training', seg_map_path='annotations/training'), metainfo=dict(classes=('a', 'b')))
    config = Config(dict(default_scope='mmsge', train_dataloader=dict(dataset=dict(ade, type='BaseSegDataset'))))
    assert preflight.check_data(config, ('train_dataloader',)) == []
