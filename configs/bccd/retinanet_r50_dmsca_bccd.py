# RetinaNet on BCCD (docs/data.md): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_retinanet.py', '../_base_/bccd_detection.py']

# Half the published anchor size, for images of half the usual size: from 16 pixels, because platelets are 20 wide.
model = dict(bbox_head=dict(num_classes=3, anchor_generator=dict(octave_base_scale=2)))
