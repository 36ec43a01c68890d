# ResNet-18 with DMSCA on CIFAR-10, with the paper's hyperparameters.
_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/pretrain_cifar10.py']

model = dict(backbone=_base_.dmsca_resnet)
