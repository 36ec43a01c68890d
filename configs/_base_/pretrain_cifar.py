# CIFAR with the paper's schedule: SGD with momentum 0.9 and weight decay 5e-4, learning rate 0.1 for a batch of 64,
# cosine, 200 epochs; a stem for 32-pixel images. Data, augmentation and metric are mmpretrain's.
_base_ = ['pretrain.py', 'mmpretrain::_base_/schedules/cifar10_bs128.py']

dmsca_resnet = dict(small_stem=True)

optim_wrapper = dict(optimizer=dict(lr=0.1, momentum=0.9, weight_decay=5e-4))
train_cfg = dict(max_epochs=200)
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', eta_min=0, by_epoch=True, begin=0, end=200)
auto_scale_lr = dict(enable=False, base_batch_size=64)
