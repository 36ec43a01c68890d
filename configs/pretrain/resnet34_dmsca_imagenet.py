# ResNet-34 with DMSCA on ImageNet, with the paper's hyperparameters.
_base_ = ['mmpretrain::_base_/models/resnet34.py', '../_base_/pretrain_imagenet.py']

model = dict(backbone=_base_.dmsca_resnet)
