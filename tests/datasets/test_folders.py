"""A data set's folder is written atomically and never replaces other files."""
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest

from dmsca_mm.datasets.folders import MANIFEST, Parameters, make
from dmsca_mm.errors import UsageError


def write(folder, content='1'):
    (folder / 'part').mkdir()
    (folder / 'part/file.txt').write_text(content)


def missing(folder):
    return '' if (folder / 'part/file.txt').is_file() else 'it has no file'


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob('*') if path.is_file()}


def test_it_is_made_once_and_found_again(tmp_path):
    root = tmp_path / 'data/set'
    assert make(root, 'one', write, missing, overwrite=False)
    assert files(root) == {MANIFEST: 'one', 'part/file.txt': '1'}
    assert make(root, 'one', partial(write, content='2'), missing, overwrite=False) is False
    assert files(root)['part/file.txt'] == '1'


def test_another_manifest_needs_overwrite(tmp_path):
    root = tmp_path / 'set'
    make(root, 'one', write, missing, overwrite=False)
    with pytest.raises(UsageError, match='other parameters: pass --overwrite'):
        make(root, 'two', partial(write, content='2'), missing, overwrite=False)
    assert files(root) == {MANIFEST: 'one', 'part/file.txt': '1'}
    assert make(root, 'two', partial(write, content='2'), missing, overwrite=True)
    assert files(root) == {MANIFEST: 'two', 'part/file.txt': '2'}
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_what_it_lacks_is_told(tmp_path):
    make(tmp_path / 'set', 'one', write, missing, overwrite=False)
    (tmp_path / 'set/part/file.txt').unlink()
    with pytest.raises(UsageError, match='set is incomplete, it has no file: pass --overwrite'):
        make(tmp_path / 'set', 'one', write, missing, overwrite=False)


def test_a_folder_of_something_else_is_never_replaced(tmp_path):
    (tmp_path / 'mine.txt').write_text('keep')
    with pytest.raises(UsageError, match='is not a digits data set'):
        make(tmp_path, 'one', write, missing, overwrite=True)
    assert files(tmp_path) == {'mine.txt': 'keep'}


def test_an_interrupted_run_leaves_nothing_and_the_old_one(tmp_path):
    def interrupted(folder):
        write(folder)
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / 'set', 'one', interrupted, missing, overwrite=False)
    assert list(tmp_path.iterdir()) == []
    make(tmp_path / 'set', 'one', write, missing, overwrite=False)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / 'set', 'two', interrupted, missing, overwrite=True)
    assert files(tmp_path) == {f'set/{MANIFEST}': 'one', 'set/part/file.txt': '1'}


def test_a_data_set_that_another_process_made_meanwhile_stays(tmp_path):
    def slowly(folder):
        make(tmp_path / 'set', 'one', write, missing, overwrite=False)
        write(folder)
    with pytest.raises(UsageError, match='other parameters: pass --overwrite'):
        make(tmp_path / 'set', 'two', slowly, missing, overwrite=False)
    assert make(tmp_path / 'set', 'one', slowly, missing, overwrite=False) is False
    assert files(tmp_path) == {f'set/{MANIFEST}': 'one', 'set/part/file.txt': '1'}


def test_a_disk_that_refuses_is_said(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UsageError, match=r'cannot write the digits data set to .*file/set'):
        make(tmp_path / 'file' / 'set', 'one', write, missing, overwrite=False)


@pytest.mark.parametrize('wrong', [dict(training=0), dict(size=100), dict(size=32), dict(seed=-1)])
def test_a_parameter_out_of_range_is_named(wrong):
    @dataclass(frozen=True)
    class Some(Parameters):
        LEAST: ClassVar[dict[str, int]] = dict(training=1, validation=1, size=64, seed=0)
    (name, value), = wrong.items()
    with pytest.raises(UsageError, match=f'digits: {name} is {value}, must be'):
        Some(**dict(dict(training=1, validation=1, size=64), **wrong))
