"""Models of every kind and an image."""
import pytest


@pytest.fixture(scope='module')
def image(digits):
    return str(sorted((digits / 'images/validation').glob('*'))[0])


@pytest.fixture(scope='module')
def models(untrained):
    from dmsca_mm.analysis.attention_maps.prediction import Model
    return {kind: Model(*untrained(kind)) for kind in ('detector', 'one-stage', 'segmenter', 'classifier')}
