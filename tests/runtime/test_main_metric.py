"""The main metric of a model and its unit."""
import pytest
from mmengine.config import Config

from dmsca_mm.runtime.main_metric import is_percent


@pytest.mark.parametrize(('scope', 'percent'), [('mmdet', False), ('mmseg', True), ('mmpretrain', True)])
def test_detectors_metrics_are_shares_and_the_others_per_cent(scope, percent):
    assert is_percent(Config(dict(default_scope=scope))) is percent
