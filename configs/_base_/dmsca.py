# Inherit this file and set plugins=[_base_.dmsca].
_base_ = '../../dmsca_mm/presets.py'

# After this import mmengine also finds the libraries' forks, so list mmseg bases after this file.
import dmsca_mm  # noqa: E402, F401
