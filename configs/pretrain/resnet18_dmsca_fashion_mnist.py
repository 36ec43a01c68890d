# ResNet-18 with DMSCA on Fashion-MNIST, with a quarter of the width and half the resolution in every stage: thin
# enough for two CPU cores. The images are grey, so its stem takes one channel, unlike a detector's, which takes three.
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/thin_resnet.py',
    '../_base_/fashion_mnist.py',
]

model = dict(
    backbone=dict(type='PluginResNet', base='mmdet.ResNet', in_channels=1, small_stem=True, strides=(2, 2, 2, 2),
                  **_base_.thin_resnet),
    head=dict(in_channels=128))
