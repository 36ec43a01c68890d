# The built-in digits as classification, one digit per image.
_base_ = 'thin_classification.py'

data_root = 'data/digit_classes'
classes = tuple('0123456789')
# The detectors' mean and deviation, so that they see the same input values.
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=10)

# No flip: a mirrored digit is a different sign or none. Width, slant and position are augmented because there are few
# writers, colours because there are few photographs.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=74, padding=5, padding_mode='reflect'),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.65, 1.0), aspect_ratio_range=(0.75, 1.33)),
    dict(type='Shear', magnitude_range=(0, 0.3), magnitude_std='inf', prob=0.7, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3),
    dict(type='PackInputs')
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
dataset = dict(type='CustomDataset', data_root=data_root, classes=classes)
train_dataloader = dict(dataset=dict(dataset, data_prefix='training', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(dataset, data_prefix='validation', pipeline=test_pipeline))
test_dataloader = val_dataloader
