# CIFAR-10 re-encoded as JPEG, one folder per class (docs/data.md). Results are not comparable with CIFAR-10.
_base_ = 'thin_classification.py'

data_root = 'data/cifar10_jpeg'
classes = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck')
data_preprocessor = dict(mean=[125.3, 123.0, 113.9], std=[63.0, 62.1, 66.7], to_rgb=True, num_classes=10)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs')
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=128,
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='train', classes=classes,
                 pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=250,
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='test', classes=classes,
                 pipeline=test_pipeline))
test_dataloader = val_dataloader

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=600),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(logger=dict(interval=50))
