# The published Faster R-CNN, thin enough for two CPU cores; the data set's config sets the number of classes.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'thin_resnet.py']

model = dict(
    backbone=_base_.thin_resnet,
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, roi_layer=dict(sampling_ratio=2)),
        bbox_head=dict(in_channels=64, fc_out_channels=256)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=400, max_per_img=200),
        rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=200)))
