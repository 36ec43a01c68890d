"""A new user's own data, classes and config: trained, tested, resumed and drawn, here and with the libraries' tools.

The data are real and not part of the repository; without them the tests are skipped.
"""

import pytest

CELLS = """
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
from dmsca_mm import dmsca
custom_imports = dict(imports=['dmsca_mm'])
root, metainfo = '{data}/', dict(classes=('RBC', 'WBC', 'Platelets'))
model = dict(
    backbone=dict(init_cfg=None, frozen_stages=-1, norm_eval=False, base_channels=16, stem_channels=16,
                  plugins=[dict(dmsca, stages=(True,) * 4)]),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=32), rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(bbox_roi_extractor=dict(out_channels=32),
                  bbox_head=dict(in_channels=32, fc_out_channels=64, num_classes=3)))
resize = dict(type='Resize', scale=(256, 192), keep_ratio=True)
data = dict(data_root=root, metainfo=metainfo, data_prefix=dict(img='images/'))
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(
    **data, ann_file='train.json', indices=6, pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), resize,
        dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]))
read = [dict(type='LoadImageFromFile'), resize, dict(type='LoadAnnotations', with_bbox=True), dict(
    type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    **data, ann_file='val.json', indices=4, pipeline=read))
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    **data, ann_file='test.json', indices=4, pipeline=read))
val_evaluator = dict(ann_file=root + 'val.json')
test_evaluator = dict(ann_file=root + 'test.json')
train_cfg = dict(max_epochs=1)
"""
STREETS = """
_base_ = 'mmseg::fcn/fcn_r50-d8_4xb4-20k_voc12aug-512x512.py'
from dmsca_mm import dmsca
custom_imports = dict(imports=['dmsca_mm'])
void, crop = 11, (128, 128)
classes = ('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car', 'pedestrian', 'bicyclist')
model = dict(pretrained=None, data_preprocessor=dict(size=crop, seg_pad_val=void),
             backbone=dict(base_channels=16, stem_channels=16, plugins=[dict(dmsca, stages=(True,) * 4)]),
             decode_head=dict(in_channels=512, channels=32, num_classes=11, ignore_index=void),
             auxiliary_head=dict(in_channels=256, channels=32, num_classes=11, ignore_index=void))
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
data = dict(type='BaseSegDataset', data_root='{data}', metainfo=dict(classes=classes), ignore_index=void)
train_dataloader = dict(_delete_=True, batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(**data, data_prefix=dict(img_path='images/train', seg_map_path='labels/train'), indices=20, pipeline=[
        *load, dict(type='RandomCrop', crop_size=crop, cat_max_ratio=0.75, ignore_index=void),
        dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]))
val_dataloader = dict(_delete_=True, batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**data, data_prefix=dict(img_path='images/val', seg_map_path='labels/val'), indices=4, pipeline=[
        *load, dict(type='PackSegInputs')]))
test_dataloader = dict(_delete_=True, batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**data, data_prefix=dict(img_path='images/test', seg_map_path='labels/test'), indices=4, pipeline=[
        *load, dict(type='PackSegInputs')]))
val_evaluator = dict(ignore_index=void)
test_evaluator = dict(ignore_index=void)
train_cfg = dict(max_iters=3, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=3))
"""
USERS = {
    'cells': dict(library='mmdet', data='bccd', config=CELLS, images='images', metric='bbox_mAP',
                  first='epoch_1.pth', second='epoch_2.pth', longer=['train_cfg.max_epochs=2']),
    'streets': dict(library='mmseg', data='camvid', config=STREETS, images='images/test', metric='mIoU',
                    first='iter_3.pth', second='iter_6.pth',
                    longer=['train_cfg.max_iters=6', 'train_cfg.val_interval=6']),
}


@pytest.fixture(params=USERS)
def user(request, real_data, tmp_path):
    """What a user has: a config of their own for data of their own."""
    chosen = USERS[request.param]
    folder = real_data / chosen['data']
    config = tmp_path / f'{request.param}.py'
    config.write_text(chosen['config'].replace('{data}', str(folder)))
    return dict(chosen, path=config, image=min((folder / chosen['images']).iterdir()))


def succeeded(finished):
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout + finished.stderr


@pytest.mark.soak
def test_a_new_user_s_config_is_checked_trains_resumes_tests_and_draws(user, call, tmp_path):
    config, work = user['path'], tmp_path / 'work'
    checked = call('check.py', config)
    assert 'nothing found' in succeeded(checked)
    assert 'ignore' not in checked.stderr, 'nothing to warn of: the config ignores the same label everywhere'
    assert not work.exists()
    succeeded(call('train.py', config, '--work-dir', work))
    assert (work / user['first']).exists()
    succeeded(call('train.py', config, '--work-dir', work, '--resume', '--cfg-options', *user['longer']))
    assert (work / user['second']).exists()
    tested = call('test.py', config, work / user['second'], '--work-dir', tmp_path / 'test')
    assert user['metric'] in succeeded(tested)
    succeeded(call('show_attention.py', config, work / user['second'], user['image'], '--out', tmp_path / 'figures'))
    assert (tmp_path / f'figures/{user["image"].stem}.attention.png').stat().st_size > 10_000
