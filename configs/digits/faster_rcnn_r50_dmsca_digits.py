# Faster R-CNN on the built-in digits (tools/make_digits.py): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_faster_rcnn.py', '../_base_/digits_detection.py']

model = dict(roi_head=dict(bbox_head=dict(num_classes=10)))
