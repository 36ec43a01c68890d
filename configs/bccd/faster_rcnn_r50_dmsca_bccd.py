# Faster R-CNN on BCCD (docs/data.md): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_faster_rcnn.py', '../_base_/bccd_detection.py']

# Anchors of half the published size, for images of half the usual size: 16 pixels and more, as platelets are 20 wide.
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=3)))
