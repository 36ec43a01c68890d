"""Jobs in other processes: one that fails or takes too long is noted, and no other result is lost."""
import time

import gpu_work
import pytest
from gpu_jobs import Table, from_json
from iterations import Training

SCRIPT = """
import json, os, sys, time
for job in json.load(open(sys.argv[1])):
    if job['plugin'] == 'wrong':
        raise ValueError('of no use')
    time.sleep(100 if job['plugin'] == 'slow' else 0)
    if os.environ.get('RANK', '0') == '0':
        with open(sys.argv[2], 'a') as file:
            file.write(json.dumps([dict(plugin=job['plugin'], processes=os.environ.get('WORLD_SIZE', '1'))]) + '\\n')
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Run jobs with these plugins in a stand-in script; return the results that were taken."""
    monkeypatch.setattr(gpu_work, 'SCRIPT', tmp_path / 'a script.py')
    gpu_work.SCRIPT.write_text(SCRIPT)

    def call(*plugins, processes=1, seconds=60):
        taken = []
        gpu_work.finish([Training('', plugin, '', '', 1) for plugin in plugins], processes, time.monotonic() + seconds,
                        lambda job, rows: taken.append((job.plugin, rows)))
        return taken
    return call


def test_job_that_ends_its_process_is_noted_and_the_rest_is_done(work):
    assert work('one', 'wrong', 'two', 'wrong') == [
        ('one', [dict(plugin='one', processes='1')]), ('wrong', [dict(note='failed: ValueError: of no use')]),
        ('two', [dict(plugin='two', processes='1')]), ('wrong', [dict(note='failed: ValueError: of no use')])]


def test_jobs_beyond_the_time_are_noted(work):
    begun = time.monotonic()
    assert work('one', 'slow', 'two', seconds=3) == [
        ('one', [dict(plugin='one', processes='1')]), ('slow', [dict(note=gpu_work.OVER)]),
        ('two', [dict(note=gpu_work.OVER)])]
    assert time.monotonic() - begun < 30


def test_several_gpus_have_a_process_each(work):
    assert work('one', processes=2) == [('one', [dict(plugin='one', processes='2')])]


def test_jobs_are_the_same_after_the_way_to_the_other_process():
    jobs = [Training('config.py', 'se', 'amp', 'data', 50, thin=True),
            Table('operator', 'fp32', (32, 32), 2, ('plain',), 1)]
    text = gpu_work.as_json(jobs)
    assert gpu_work.as_json(from_json(text)) == text
    assert [type(job) for job in from_json(text)] == [Training, Table]


@pytest.mark.parametrize(('output', 'reason'), [
    ('Traceback\n  File\ntorch.OutOfMemoryError: CUDA is full\nmore', 'torch.OutOfMemoryError: CUDA is full'),
    ('error: config x is missing\nerror: process 0 ended with exit code 2; its output is above', 'config x is missing'),
    ('Killed\n', 'Killed'), ('', 'no reason was printed')])
def test_reason_is_the_last_error(output, reason):
    assert gpu_work.why(output.rstrip()) == reason


def test_command_gives_its_exit_code_and_output_and_is_stopped_in_time():
    assert gpu_work.run(['-c', 'print("found"); raise SystemExit(3)'], time.monotonic() + 60) == (3, 'found')
    assert gpu_work.run(['-c', 'import time; time.sleep(100)'], time.monotonic() + 1) == (None, '')
