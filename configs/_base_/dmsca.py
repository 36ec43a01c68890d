# Inherit this file and set plugins=[_base_.dmsca].
_base_ = '../../dmsca_mm/presets.py'

# From here on mmengine finds the libraries' forks too; a base of mmseg's therefore comes after this one.
import dmsca_mm  # noqa: E402, F401
