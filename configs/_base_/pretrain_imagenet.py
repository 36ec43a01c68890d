# ImageNet with the paper's schedule: SGD with momentum 0.9 and weight decay 1e-4, learning rate 0.1 for a batch of 128,
# cosine, 100 epochs. Data, augmentation and metric are mmpretrain's.
_base_ = [
    'pretrain.py',
    'mmpretrain::_base_/datasets/imagenet_bs32.py',
    'mmpretrain::_base_/schedules/imagenet_bs256.py',
]

train_dataloader = dict(batch_size=128)
val_dataloader = dict(batch_size=128)
test_dataloader = dict(batch_size=128)

optim_wrapper = dict(optimizer=dict(lr=0.1, momentum=0.9, weight_decay=1e-4))
train_cfg = dict(max_epochs=100)
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=100)
auto_scale_lr = dict(enable=False, base_batch_size=128)
