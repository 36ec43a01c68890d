# The published RetinaNet, thin enough for two CPU cores; the data set's config sets the number of classes.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', 'thin_resnet.py']

model = dict(
    backbone=_base_.thin_resnet,
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64),
    bbox_head=dict(in_channels=64, stacked_convs=2, feat_channels=64))
