# Fashion-MNIST, ten classes of clothing in grey, 28x28 pixels, as packaged by Debian (docs/data.md).
_base_ = 'thin_classification.py'

data_root = 'data/fashion-mnist'
data_preprocessor = dict(mean=[72.94], std=[90.02], to_rgb=False, num_classes=10)  # of the training images

train_pipeline = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs')
]
test_pipeline = [dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=64,
    dataset=dict(type='FashionMNIST', data_root=data_root, split='train', download=False, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=250,
    dataset=dict(type='FashionMNIST', data_root=data_root, split='test', download=False, test_mode=True,
                 pipeline=test_pipeline))
test_dataloader = val_dataloader

max_epochs = 3
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=max_epochs)]
auto_scale_lr = dict(base_batch_size=128)
default_hooks = dict(logger=dict(interval=50))
