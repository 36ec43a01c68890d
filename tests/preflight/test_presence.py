"""Every file of a list is checked for existence."""
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.presence import check_present


@pytest.fixture
def paths(tmp_path):
    found = []
    for folder in ('a', 'b/c'):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(100):
            path = tmp_path / folder / f'{number}.jpg'
            path.touch()
            found.append(str(path))
    return found


def check(paths, some_may_lack=False):
    check_present(paths, 'image', 'the list', 'look there', some_may_lack)


def test_files_that_are_there_pass(paths, tmp_path):
    check([*paths, str(tmp_path / 'a/../b/c/1.jpg')])


def test_one_missing_of_all_is_named(paths, tmp_path):
    (tmp_path / 'b/c/57.jpg').unlink()
    with pytest.raises(UsageError, match=r'image .*c/57\.jpg does not exist, though the list lists it \(1 of 200 are '
                                         r'missing\): look there'):
        check(paths)
    check(paths, some_may_lack=True)


def test_all_missing_is_an_error_in_any_case(tmp_path):
    for some_may_lack in (False, True):
        with pytest.raises(UsageError, match='2 of 2 are missing'):
            check([str(tmp_path / 'none/1.jpg'), str(tmp_path / 'none/2.jpg')], some_may_lack)
