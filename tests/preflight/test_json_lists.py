"""Reading in pieces gives the same result as json, wherever the pieces end."""
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmsca_mm.preflight import json_lists
from dmsca_mm.preflight.json_lists import read_lists

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(st.text(max_size=3), inner, max_size=3))


def same(key, entry):
    return entry


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(st.text(max_size=3), VALUES, max_size=4), length=st.integers(1, 20),
       indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_object(content, length, indent, ascii_only, tmp_path, monkeypatch):
    monkeypatch.setattr(json_lists, 'CHARACTERS', length)
    (tmp_path / 'any.json').write_text(json.dumps(content, indent=indent, ensure_ascii=ascii_only))
    assert read_lists(tmp_path / 'any.json', same) == content


def test_entries_are_reduced_as_they_come(tmp_path):
    (tmp_path / 'any.json').write_text('{"a": [1, [2, 3]], "b": 4, "c": [[]], "a": [5, NaN]}')
    assert read_lists(tmp_path / 'any.json', lambda key, entry: f'{key}{entry}') == {'a': ['a5', 'anan'], 'b': 4,
                                                                                    'c': ['c[]']}


@pytest.mark.parametrize('text', [
    '', ' ', '{', '{"a"', '{"a":', '{"a":1', '{"a":1,}', '{"a":[1,]}', '{"a":[1 2]}', '{"a":[1}', '{"a":nul}', '{1:2}',
    '{"a":1}}', '{"a":1} {}', '{,}', '{"a" 1}', '{"a":[', '{"a":"b', '{a:1}', '{"a":01}', '{"a":1.}', '{"a":-}'])
@pytest.mark.parametrize('length', [1, 100])
def test_what_json_refuses_is_refused(text, length, tmp_path, monkeypatch):
    monkeypatch.setattr(json_lists, 'CHARACTERS', length)
    (tmp_path / 'bad.json').write_text(text)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    with pytest.raises(ValueError, match=r'at character \d+'):
        read_lists(tmp_path / 'bad.json', same)


@pytest.mark.parametrize('text', ['[]', '3', '"a"', 'null'])
def test_what_is_no_object_is_refused(text, tmp_path):
    (tmp_path / 'other.json').write_text(text)
    with pytest.raises(ValueError, match=r"at character 0, where '\{' must be"):
        read_lists(tmp_path / 'other.json', same)


def test_nesting_takes_no_memory(tmp_path):
    (tmp_path / 'deep.json').write_text('{"a": [' + '[' * 1_000_000)
    with pytest.raises(RecursionError):
        read_lists(tmp_path / 'deep.json', same)
