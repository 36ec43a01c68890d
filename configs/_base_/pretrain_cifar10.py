# CIFAR-10, read by mmpretrain from data already in place (docs/data.md).
_base_ = ['pretrain_cifar.py', 'mmpretrain::_base_/datasets/cifar10_bs16.py']

train_dataloader = dict(batch_size=64, dataset=dict(download=False))
val_dataloader = dict(batch_size=64, dataset=dict(download=False))
test_dataloader = dict(batch_size=64, dataset=dict(download=False))
