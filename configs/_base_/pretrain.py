# Shared by the classifiers: the backbone of the detectors and segmenters, so that its weights load into theirs by name,
# with DMSCA in all four stages. The identity initialization also matches theirs: with init='paper' the same weights
# would give other gates.
_base_ = ['mmpretrain::_base_/default_runtime.py', 'dmsca.py']

dmsca_resnet = dict(
    type='PluginResNet',
    base='mmdet.ResNet',
    norm_eval=False,
    plugins=[dict(_base_.dmsca, stages=(True, True, True, True))])
