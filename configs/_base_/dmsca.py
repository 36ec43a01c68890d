# Inherit this file and say plugins=[_base_.dmsca].
_base_ = '../../dmsca_mm/presets.py'
