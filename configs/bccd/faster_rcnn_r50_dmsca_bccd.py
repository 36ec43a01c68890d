# Faster R-CNN on BCCD (docs/data.md): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_faster_rcnn.py', '../_base_/bccd_detection.py']

# Half the published anchor size, for images of half the usual size: from 16 pixels, because platelets are 20 wide.
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=3)))
