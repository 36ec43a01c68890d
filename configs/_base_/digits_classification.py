# The built-in digits one by one, and the schedule and runtime of their classifier.
_base_ = 'mmpretrain::_base_/default_runtime.py'

data_root = 'data/digit_classes'
classes = tuple('0123456789')
# Those of the detectors, which see the same numbers then.
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=10)

# No flip: a mirrored digit is another sign or none. Widths, slants and places vary because the writers are few, the
# colours because the photographs are.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=74, padding=5, padding_mode='reflect'),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.65, 1.0), aspect_ratio_range=(0.75, 1.33)),
    dict(type='Shear', magnitude_range=(0, 0.3), magnitude_std='inf', prob=0.7, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3),
    dict(type='PackInputs')
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root=data_root,
        data_prefix='training',
        classes=classes,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=50,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_root=data_root,
        data_prefix='validation',
        classes=classes,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator

max_epochs = 8
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.05),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True)
]
auto_scale_lr = dict(enable=False, base_batch_size=64)

default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=1, max_keep_ckpts=2))
# Each process has seen half of the images: its BN statistics are averaged with the others' before they are used.
custom_hooks = [dict(type='SyncBuffersHook')]
randomness = dict(seed=0)
