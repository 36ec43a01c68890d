"""Real processes do all the work and print nothing; any failure ends all of them with one error."""
import multiprocessing
import signal
from contextlib import suppress

import psutil
import pytest
from toy_work import Toy, refuse_to_start

from dmsca_mm.analysis.robustness.pool import deal
from dmsca_mm.errors import ImageError, ProcessError


def workers():
    """Live workers, without their own children (a task's command looks like its process until it runs) and
    without multiprocessing's resource tracker, which stays until the end."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # a zombie, or already gone
            found += [child] if 'spawn_main' in ' '.join(child.cmdline()) else []
    return found


def test_two_processes_work_at_once_do_every_task_once_and_are_quiet(tmp_path, capfd):
    tasks = [('meet', tmp_path), ('meet', tmp_path), *(('square', value) for value in range(5)), ('signals', None),
             ('start_method', None)]
    found = list(deal(Toy, tasks, 2))
    assert sorted(result for task, result in found if task[0] == 'meet') == [0, 1]
    rest = dict(pair for pair in found if pair[0][0] != 'meet')
    assert rest.pop(('signals', None)), 'Ctrl-C is for the first process alone'
    assert rest.pop(('start_method', None)) == multiprocessing.get_start_method(), 'data workers start as ever'
    assert rest == {('square', value): value ** 2 for value in range(5)}
    assert capfd.readouterr() == ('', '')
    assert workers() == []


@pytest.mark.parametrize(('start', 'task', 'error', 'words'), [
    (Toy, ('die', signal.SIGKILL), ProcessError, r'a process ended by SIGKILL: .*fewer --processes'),
    (Toy, ('fail', 0), RuntimeError, "(?s)task .'fail', 0.: Traceback.*ZeroDivisionError"),
    (refuse_to_start, ('square', 1), ImageError, '^process 0 has no model$')])
def test_what_goes_wrong_in_one_ends_all(start, task, error, words):
    with pytest.raises(error, match=words):
        list(deal(start, [task, ('square', 2)], 1))
    assert workers() == []


def test_no_tasks_start_no_process():
    assert list(deal(refuse_to_start, [], 2)) == []


def test_a_caller_that_stops_early_leaves_no_process():
    results = deal(Toy, [('square', 1), ('square', 2)], 1)
    assert next(results) == (('square', 1), 1)
    assert len(workers()) == 1
    results.close()
    assert workers() == []
