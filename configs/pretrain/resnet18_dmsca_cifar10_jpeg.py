# ResNet-18 with DMSCA on CIFAR-10 (JPEG), with a quarter of the width and a stem for 32-pixel images: thin enough
# for two CPU cores.
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/thin_resnet.py',
    '../_base_/cifar10_jpeg.py',
]

model = dict(
    backbone=dict(type='PluginResNet', base='mmdet.ResNet', small_stem=True, **_base_.thin_resnet),
    head=dict(in_channels=128))
