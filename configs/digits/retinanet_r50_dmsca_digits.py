# RetinaNet on the built-in digits (tools/make_digits.py): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_retinanet.py', '../_base_/digits_detection.py']

model = dict(bbox_head=dict(num_classes=10))
