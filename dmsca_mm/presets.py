"""The preset as plain data, for Python and for configs alike.

This file is an ordinary config as well: ``configs/_base_/dmsca.py`` inherits it, and a Python-style config says
``with read_base(): from dmsca_mm.presets import dmsca``.
"""
custom_imports = dict(imports=['dmsca_mm'], allow_failed_imports=False)

# Detection configs freeze the first stage with all that is in it, so the plugin sits in the other three.
dmsca = dict(cfg=dict(type='DMSCA'), stages=(False, True, True, True), position='after_conv3')
