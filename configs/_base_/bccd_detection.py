# BCCD, blood cells under a microscope, as COCO detection (docs/data.md).
_base_ = 'thin_detection.py'

data_root = 'data/bccd/'
metainfo = dict(classes=('RBC', 'WBC', 'Platelets'), palette=[(220, 60, 60), (90, 80, 220), (240, 190, 40)])
image_size = (320, 240)

# Flip in all directions: microscope images have no preferred orientation.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
dataset = dict(type='CocoDataset', data_root=data_root, metainfo=metainfo, data_prefix=dict(img='images/'))
train_dataloader = dict(dataset=dict(dataset, ann_file='train.json', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(dataset, ann_file='val.json', test_mode=True, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(dataset, ann_file='test.json', test_mode=True, pipeline=test_pipeline))
val_evaluator = dict(type='CocoMetric', ann_file=data_root + 'val.json', metric='bbox')
test_evaluator = dict(type='CocoMetric', ann_file=data_root + 'test.json', metric='bbox')

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs)]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=4))
