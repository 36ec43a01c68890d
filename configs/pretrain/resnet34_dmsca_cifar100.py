# ResNet-34 with DMSCA on CIFAR-100, with the paper's hyperparameters.
_base_ = ['mmpretrain::_base_/models/resnet34_cifar.py', '../_base_/pretrain_cifar100.py']

model = dict(backbone=_base_.dmsca_resnet, head=dict(num_classes=100))
