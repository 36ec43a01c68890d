# RetinaNet, ResNet-50 with DMSCA, FPN, COCO, 1x: the published baseline plus the plugin.
_base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', '_base_/dmsca.py']
model = dict(backbone=dict(plugins=[_base_.dmsca]))
