# UPerNet, ResNet-50 with DMSCA, ADE20K, 512x512, 160k iterations: the published baseline plus the plugin.
# Nothing is frozen here, so the plugin sits in all four stages.
_base_ = ['_base_/dmsca.py', 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py']
model = dict(backbone=dict(plugins=[dict(_base_.dmsca, stages=(True, True, True, True))]))
