"""A user's mistake ends as one line on stderr and exit code 2; a bug keeps its traceback."""
import pytest

from dmsca_mm.errors import ProcessError, UsageError, exit_on_usage_error


def raises(error):
    def main():
        raise error
    return main


def test_usage_error_is_one_line_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        exit_on_usage_error(raises(UsageError('the thing\n  and the way out')))
    assert ended.value.code == 2
    assert capsys.readouterr().err == 'error: the thing and the way out\n'


@pytest.mark.parametrize('name', ['RANK', 'SLURM_PROCID'])
def test_only_the_first_process_speaks(name, capsys, monkeypatch):
    monkeypatch.setenv(name, '3')
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(UsageError('the thing')))
    assert capsys.readouterr().err == ''
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(ProcessError('met here alone')))
    assert capsys.readouterr().err == 'error: met here alone\n'


def test_other_errors_pass_through():
    with pytest.raises(ValueError, match='a bug'):
        exit_on_usage_error(raises(ValueError('a bug')))
