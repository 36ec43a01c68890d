# RetinaNet on the built-in digits (tools/make_digits.py): the published model, thin enough for two CPU cores.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/thin_resnet50.py',
    '../_base_/digits_detection.py',
]

model = dict(
    backbone=_base_.thin_resnet50,
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64),
    bbox_head=dict(num_classes=10, in_channels=64, stacked_convs=2, feat_channels=64))
