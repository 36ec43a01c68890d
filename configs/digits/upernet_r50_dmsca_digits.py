# UPerNet on the built-in digits (tools/make_digits.py): the published model, thin enough for two CPU cores.
_base_ = ['../_base_/thin_upernet.py', '../_base_/digits_segmentation.py']

model = dict(
    data_preprocessor=dict(size=_base_.image_size),
    decode_head=dict(num_classes=11),
    # The auxiliary head, at stride 8, learns from the strokes only, without background. Finding strokes is easy, and in
    # a loss over all classes it would dominate the choice of the digit for longer than this schedule lasts.
    auxiliary_head=dict(
        in_channels=128,
        in_index=1,
        num_classes=11,
        loss_decode=dict(class_weight=[0.0] + [1.0] * 10, loss_weight=1.0)))
