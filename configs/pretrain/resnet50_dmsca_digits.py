# The thin ResNet-50 of the digits' detectors as a classifier of single digits (tools/make_digits.py --task
# classification).
_base_ = [
    'mmpretrain::_base_/models/resnet50_label_smooth.py',
    '../_base_/thin_resnet.py',
    '../_base_/digits_classification.py',
]

model = dict(
    backbone=dict(type='PluginResNet', base='mmdet.ResNet', **dict(_base_.thin_resnet, zero_init_residual=True)),
    head=dict(num_classes=10, in_channels=512, topk=(1,)))
