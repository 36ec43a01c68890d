"""Faults in the data are reported before a run starts: the thing, the value, the remedy."""
import json
import shutil

import own_data
import pytest
from mmdet.datasets import BaseDetDataset
from mmengine.config import Config
from PIL import Image

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight import data as preflight
from dmsca_mm.runtime.config import load_config


def data(root, ann_file='annotations/instances_train2017.json', folder='train2017'):
    inner = dict(type='CocoDataset', data_root=str(root), ann_file=ann_file, data_prefix=dict(img=folder))
    return Config(dict(default_scope='mmdet',
                       train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner))))


def test_good_data_passes(tiny_coco, tiny_ade):
    preflight.check_data(data(tiny_coco), ('train_dataloader', 'val_dataloader'))
    prefix = dict(img_path='images/training', seg_map_path='annotations/training')
    ade = dict(type='ADE20KDataset', data_root=str(tiny_ade), data_prefix=prefix)
    preflight.check_data(Config(dict(default_scope='mmseg', train_dataloader=dict(dataset=ade))), ('train_dataloader',))


@pytest.mark.parametrize(('change', 'words'), [
    (dict(folder='train'), ['train_dataloader', 'folder', 'does not exist', 'cocodataset.org']),
    (dict(ann_file='annotations/none.json'), ['train_dataloader', 'none.json', 'does not exist', 'cocodataset.org'])])
def test_missing_data_is_named_with_its_source(change, words, tiny_coco):
    with pytest.raises(UsageError) as caught:
        preflight.check_data(data(tiny_coco, **change), ('train_dataloader',))
    assert all(word in str(caught.value) for word in words)


def test_empty_folder_is_named(tmp_path):
    (tmp_path / 'train2017').mkdir()
    with pytest.raises(UsageError, match='is empty'):
        preflight.check_data(data(tmp_path), ('train_dataloader',))


def small_coco(root):
    """An annotation file for one image in a separate folder; the image does not exist."""
    (root / 'images').mkdir()
    (root / 'images/readme.txt').touch()
    (root / 'small.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='1.png', width=9, height=9)],
        annotations=[dict(id=1, image_id=1, category_id=0, bbox=[1, 1, 5, 5], area=25)],
        categories=[dict(id=0, name='cat')])))
    config = data(root, 'small.json', 'images')
    config.train_dataloader.dataset.dataset.metainfo = dict(classes=('cat',))
    return config


@pytest.mark.parametrize('content', [b'', b'no image', b'\x89PNG\r\n\x1a\n'])
def test_image_that_cannot_be_opened_is_named(content, tmp_path):
    config = small_coco(tmp_path)
    (tmp_path / 'images/1.png').write_bytes(content)
    with pytest.raises(UsageError, match=rf'1\.png \({len(content)} bytes\) cannot be opened'):
        preflight.check_data(config, ('train_dataloader',))


def test_remote_data_is_not_looked_for():
    preflight.check_data(data('s3://bucket/coco/'), ('train_dataloader',))


@pytest.mark.parametrize('root', ['data/ade', 'shared/ADE20K'])
def test_the_source_of_a_known_data_set_is_named_by_its_folder(root):
    with pytest.raises(UsageError, match='places/ADEchallenge'):
        preflight.check_data(data(root), ('train_dataloader',))
    for other in ('data/of_wade', 'data/facades'):
        with pytest.raises(UsageError, match='check data_root, ann_file and data_prefix'):
            preflight.check_data(data(other), ('train_dataloader',))


def test_a_prefix_that_is_no_dict_is_named_with_what_to_write(tiny_coco):
    config = data(tiny_coco)
    config.train_dataloader.dataset.dataset.data_prefix = 'train2017/'
    with pytest.raises(UsageError, match=r"data_prefix is 'train2017/', .* data_prefix=dict\(img='train2017/'\)"):
        preflight.check_data(config, ('train_dataloader',))


def test_a_link_to_a_missing_image_is_a_missing_image(tmp_path):
    config = small_coco(tmp_path)
    (tmp_path / 'images/1.png').symlink_to(tmp_path / 'gone.png')
    with pytest.raises(UsageError, match=r'image .*1\.png does not exist, though .*small\.json lists it'):
        preflight.check_data(config, ('train_dataloader',))


@pytest.mark.parametrize('kind', ['CocoDatset', 'mmdet.CocoDatset'])
def test_data_set_that_is_registered_nowhere_is_named(kind, tiny_coco):
    config = data(tiny_coco)
    config.train_dataloader.dataset.dataset.type = kind
    with pytest.raises(UsageError, match=f"dataset: '{kind}' is registered nowhere"):
        preflight.check_data(config, ('train_dataloader',))


@pytest.mark.parametrize('kind', ['ADE20KDataset', 'mmseg.ADE20KDataset'])
def test_data_are_checked_by_a_name_with_its_library_too(kind, tiny_ade):
    ade = dict(type=kind, data_root=str(tiny_ade), metainfo=dict(classes=('sky', 'wal')), data_prefix=dict(
        img_path='images/training', seg_map_path='annotations/training'))
    scope = None if '.' in kind else 'mmseg'
    with pytest.raises(UsageError, match=r"metainfo\.classes names 'wal'"):
        preflight.check_data(Config(dict(default_scope=scope, train_dataloader=dict(dataset=ade))),
                             ('train_dataloader',))


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
    config.test_evaluator = dict(type='IoUMetric', format_only=True)
    assert preflight.check_data(config, ('test_dataloader',)) == []
    config.test_evaluator.format_only = False
    with pytest.raises(UsageError, match='no step of its pipeline loads label maps, and IoUMetric needs them'):
        preflight.check_data(config, ('test_dataloader',))
    class LoadColours:
        """A step of a user's own."""
    config.test_dataloader.dataset.pipeline.insert(1, None)
    for step in (dict(type=LoadColours), lambda results: results):
        config.test_dataloader.dataset.pipeline[1] = step
        assert preflight.check_data(config, ('test_dataloader',)) == []
    for name in ('LoadAnnotations', 'LoadBiomedicalAnnotation'):
        config.test_dataloader.dataset.pipeline[1] = dict(type=name)
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


@pytest.mark.parametrize(('kind', 'heads'), [
    ('CocoPanopticDataset', 80),  # only things have boxes; the other 53 classes are stuff
    ('MOTChallengeDataset', 1)])  # only pedestrians, one of its 13 classes, are annotated
def test_heads_of_a_data_set_with_more_classes_than_boxes_have_fewer(kind, heads, tiny_coco):
    loader = data(tiny_coco).train_dataloader
    loader.dataset.dataset.type = kind
    config = Config(dict(default_scope='mmdet', model=dict(bbox_head=dict(num_classes=heads)), train_dataloader=loader))
    assert preflight.check_data(config, ('train_dataloader',)) == []


def test_heads_of_panoptic_data_of_ones_own_are_compared_with_the_classes_of_its_boxes(tiny_coco):
    loader = data(tiny_coco).train_dataloader
    loader.dataset.dataset.update(type='CocoPanopticDataset', metainfo=dict(classes=('car', 'bench', 'bird')))
    config = Config(dict(default_scope='mmdet', model=dict(bbox_head=dict(num_classes=1)), train_dataloader=loader))
    assert preflight.check_data(config, ('train_dataloader',)) == [], 'the config may name them elsewhere'
    loader.dataset.dataset.metainfo.update(thing_classes=('car',), stuff_classes=('bench', 'bird'))
    assert preflight.check_data(config, ('train_dataloader',)) == []
    loader.dataset.dataset.metainfo.update(thing_classes=('car', 'bench'), stuff_classes=('bird',))
    with pytest.raises(UsageError, match='num_classes is 1, the data of train_dataloader have 2 classes'):
        preflight.check_data(config, ('train_dataloader',))


def test_annotations_of_a_data_set_of_ones_own_may_be_a_folder(tiny_coco):
    config = data(tiny_coco, ann_file='labels')
    config.train_dataloader.dataset.dataset.type = BaseDetDataset
    with pytest.raises(UsageError, match='labels does not exist'):
        preflight.check_data(config, ('train_dataloader',))
    (tiny_coco / 'labels').mkdir()
    assert preflight.check_data(config, ('train_dataloader',)) == []
    config.train_dataloader.dataset.dataset.type = 'CocoDataset'
    with pytest.raises(UsageError, match='labels does not exist'):
        preflight.check_data(config, ('train_dataloader',))


def test_hidden_files_of_a_folder_are_no_images(tiny_coco):
    config = data(tiny_coco, ann_file='')
    config.train_dataloader.dataset.dataset.type = BaseDetDataset
    (tiny_coco / 'train2017/._1.jpg').write_bytes(b'macO')
    assert preflight.check_data(config, ('train_dataloader',)) == []


def test_a_detectors_test_without_a_resize_is_warned_of(tmp_path, repository):
    """Its heads assert that the images have a scale_factor, at the first validation."""
    steps = "[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), dict(type='PackDetInputs')]"
    extra = f"val_dataloader = dict(loader, dataset=dict(loader['dataset'], pipeline={steps}))"
    config = load_config(str(own_data.detector(tmp_path, repository, extra)))
    line, = preflight.check_data(config, ('val_dataloader',))
    assert 'val_dataloader: no step of its pipeline resizes' in line
    assert preflight.check_data(config, ('train_dataloader', 'test_dataloader')) == []


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
