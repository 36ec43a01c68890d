"""A config's text is parsed into its content without being executed."""
import pytest
from mmengine.config import Config

from dmsca_mm.checkpoint import stored_config


def test_text_gives_the_configs_values():
    values = dict(lr=-0.1, classes=('a', 'b'), nothing=None, empty=dict(), entries=[dict(type='A', sizes=(3, 5)), {}],
                  keys={'a.b': 1, 'c': dict(x=True)}, deep=[{'no name': 2}, 'text'], folder="it's")
    expected = {**values, 'classes': ['a', 'b'], 'entries': [dict(type='A', sizes=[3, 5]), {}]}
    assert stored_config.parse(Config(values).pretty_text) == expected


def test_value_that_is_no_literal_stays_text():
    assert stored_config.parse('scale = float("inf")\nrest = dict(kind=torch.nn.ReLU, size=2 * 3)') == dict(
        scale="float('inf')", rest=dict(kind='torch.nn.ReLU', size='2 * 3'))


@pytest.mark.parametrize('text', ['', None, 7, 'model: {backbone: yaml}', 'model = \0', '(' * 10_000,
                                  '-' * 100_000 + '1', 'import os'])
def test_what_is_no_config_is_empty(text):
    assert stored_config.parse(text) == {}


def test_nothing_is_executed(tmp_path):
    stored_config.parse(f'model = open({str(tmp_path / "touched")!r}, "w")\nopen({str(tmp_path / "too")!r}, "w")')
    assert list(tmp_path.iterdir()) == []
