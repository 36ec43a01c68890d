"""The preset as plain data, for both Python and configs.

This file is also a config: ``configs/_base_/dmsca.py`` inherits it, and a Python-style config uses
``with read_base(): from dmsca_mm.presets import dmsca``.
"""
custom_imports = dict(imports=['dmsca_mm'], allow_failed_imports=False)

# Detection configs freeze the whole first stage, so the plugin goes into the other three.
dmsca = dict(cfg=dict(type='DMSCA'), stages=(False, True, True, True), position='after_conv3')
