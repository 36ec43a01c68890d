# UPerNet on CamVid (docs/data.md): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_upernet.py', '../_base_/camvid_segmentation.py']

model = dict(
    data_preprocessor=dict(size=_base_.image_size[::-1], seg_pad_val=_base_.unlabelled),
    decode_head=dict(num_classes=11, ignore_index=_base_.unlabelled),
    auxiliary_head=dict(num_classes=11, ignore_index=_base_.unlabelled))
