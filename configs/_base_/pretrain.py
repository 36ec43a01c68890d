# What training for classification shares: the backbone of the detectors and segmenters, so that its weights go into
# theirs by name, with DMSCA in all four stages. The initialization is the identity, as there: with init='paper' the
# same weights would give other gates.
_base_ = ['mmpretrain::_base_/default_runtime.py', 'dmsca.py']

dmsca_resnet = dict(
    type='PluginResNet',
    base='mmdet.ResNet',
    norm_eval=False,
    plugins=[dict(_base_.dmsca, stages=(True, True, True, True))])
