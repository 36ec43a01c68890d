# The published UPerNet, thin enough for two CPU cores; the data set's config sets the number of classes.
_base_ = ['thin_resnet.py', 'mmseg::_base_/models/upernet_r50.py']

model = dict(
    pretrained=None,
    backbone=_base_.thin_resnet,
    decode_head=dict(
        in_channels=[64, 128, 256, 512],
        channels=64,
        dropout_ratio=0,
        norm_cfg=_base_.thin_resnet.norm_cfg),
    auxiliary_head=dict(
        in_channels=256,
        channels=64,
        dropout_ratio=0,
        norm_cfg=_base_.thin_resnet.norm_cfg))
