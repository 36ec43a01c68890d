"""A user's mistake ends as one line on stderr and exit code 2; a bug keeps its traceback."""
import contextlib
import errno
import io
import os
import signal
import subprocess
import sys

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


def test_only_the_first_process_speaks(capsys, monkeypatch):
    monkeypatch.setenv('RANK', '3')
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(UsageError('the thing')))
    assert capsys.readouterr().err == ''
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(ProcessError('met here alone')))
    assert capsys.readouterr().err == 'error: met here alone\n'


def test_the_first_process_of_another_machine_speaks_too(capsys, monkeypatch):
    for name, value in dict(RANK='8', LOCAL_RANK='0').items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(UsageError('a file that this machine lacks')))
    assert capsys.readouterr().err == 'error: a file that this machine lacks\n'
    monkeypatch.setenv('LOCAL_RANK', '1')
    monkeypatch.setenv('RANK', '9')
    with pytest.raises(SystemExit):
        exit_on_usage_error(raises(UsageError('a file that this machine lacks')))
    assert capsys.readouterr().err == ''


def test_output_of_a_notebook_is_written():
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exit_on_usage_error(lambda: print('x'))
    assert output.getvalue() == 'x\n'


def test_other_errors_pass_through():
    with pytest.raises(ValueError, match='a bug'):
        exit_on_usage_error(raises(ValueError('a bug')))


@pytest.mark.parametrize('number', [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_refusal_of_the_system_names_the_file(number, capsys):
    with pytest.raises(SystemExit) as ended:
        exit_on_usage_error(raises(OSError(number, os.strerror(number), '/there')))
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f'error: /there: {os.strerror(number)}: ')


def test_missing_file_that_nobody_looked_for_is_a_bug():
    with pytest.raises(FileNotFoundError):
        exit_on_usage_error(raises(FileNotFoundError(errno.ENOENT, 'not there', 'a')))


@pytest.mark.parametrize(('output', 'code'), [('/dev/full', 2), ('pipe', 128 + signal.SIGPIPE)])
def test_output_that_takes_nothing_more_ends_without_a_traceback(output, code):
    command = [sys.executable, '-c', 'from dmsca_mm.errors import exit_on_usage_error as e; e(lambda: print("x"))']
    if output == 'pipe':
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(output, os.O_WRONLY)
    finished = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert finished.returncode == code
    assert finished.stderr == ('' if output == 'pipe' else 'error: the output or a file: No space left on device: '
                               'mend this, or choose another place\n')
