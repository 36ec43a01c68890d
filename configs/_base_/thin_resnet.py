# A ResNet with a quarter of the width, trained from scratch: the blocks of the headline configs at a size that two CPU
# cores train in minutes. BN, not SyncBN, because SyncBN needs CUDA.
_base_ = 'dmsca.py'

thin_resnet = dict(
    base_channels=16,
    stem_channels=16,
    frozen_stages=-1,
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    zero_init_residual=False,
    init_cfg=None,
    plugins=[dict(_base_.dmsca, stages=(True, True, True, True))])
