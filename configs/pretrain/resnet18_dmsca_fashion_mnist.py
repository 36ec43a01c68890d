# ResNet-18 with DMSCA on Fashion-MNIST, of a quarter of the width and with half the resolution in every stage: thin
# enough for two CPU cores. The images are grey, so its stem takes one channel, and a detector's three.
_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/thin_resnet.py',
    '../_base_/fashion_mnist.py',
]

model = dict(
    backbone=dict(type='PluginResNet', base='mmdet.ResNet', in_channels=1, small_stem=True, strides=(2, 2, 2, 2),
                  **_base_.thin_resnet),
    head=dict(in_channels=128))
