# UPerNet on the built-in digits (tools/make_digits.py): the published model, thin enough for two CPU cores.
_base_ = [
    '../_base_/thin_resnet50.py',
    'mmseg::_base_/models/upernet_r50.py',
    '../_base_/digits_segmentation.py',
]

model = dict(
    pretrained=None,
    data_preprocessor=dict(size=_base_.image_size),
    backbone=_base_.thin_resnet50,
    decode_head=dict(
        in_channels=[64, 128, 256, 512],
        channels=64,
        dropout_ratio=0,
        num_classes=11,
        norm_cfg=_base_.thin_resnet50.norm_cfg),
    # The auxiliary head sits at stride 8 and judges the strokes alone, without background: to find strokes is easy, and
    # in the common loss it drowns the question of which digit they are for longer than this schedule lasts.
    auxiliary_head=dict(
        in_channels=128,
        in_index=1,
        channels=64,
        dropout_ratio=0,
        num_classes=11,
        norm_cfg=_base_.thin_resnet50.norm_cfg,
        loss_decode=dict(class_weight=[0.0] + [1.0] * 10, loss_weight=1.0)))
