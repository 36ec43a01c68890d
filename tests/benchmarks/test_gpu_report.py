"""The GPU report command as a user runs it, at toy sizes on the CPU."""
import csv
import math
import os
import signal
import subprocess
import sys
from itertools import product

import pytest
import torch
from gpu_report import CONFIGS, CSV_COLUMNS, PLUGINS
from gpu_report_page import Facts, page

NAMES = {'part', 'config', 'plugin', 'level', 'contender', 'shape', 'note', 'device', 'dtype', 'memory_format',
         'machine', 'torch', 'date'}
"""Columns that do not hold numbers."""


@pytest.fixture
def command(repository, tmp_path):
    return [sys.executable, str(repository / 'benchmarks/gpu_report.py'), '--tiny', '--out', str(tmp_path / 'out')]


def written(folder):
    (report,) = (folder / 'out').iterdir()
    assert sorted(path.name for path in report.iterdir()) == ['report.csv', 'report.md']
    with (report / 'report.csv').open(newline='') as file:
        return (report / 'report.md').read_text(), list(csv.DictReader(file))


@pytest.mark.slow
def test_trial_measures_every_config_plugin_and_precision(command, tmp_path):
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    text, rows = written(tmp_path)
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row['note'] for row in rows if row['note']] == []
    trained = {(row['config'], row['plugin'], row['dtype']): row for row in rows if row['part'] == 'training'}
    assert set(trained) == set(product(CONFIGS, PLUGINS, ('fp32', 'amp')))
    for row in trained.values():
        assert all(row[key] for key in ('iteration_ms', 'iteration_ratio', 'peak_mb', 'launches', 'batch', 'processes'))
    assert {(row['level'], row['dtype']) for row in rows if row['part'] == 'cost'} == set(
        product(('backbone', 'operator'), ('fp32', 'bf16', 'amp')))
    (tests,) = (row for row in rows if row['part'] == 'tests')
    assert int(tests['passed']) > 0
    assert tests['failed'] == '0'
    assert all(math.isfinite(float(value)) for row in rows for key, value in row.items() if key not in NAMES and value)
    for title in ('Training the headline configs', "The operator's tests", 'A ResNet with each attention',
                  'The share of the copy bandwidth', 'Failed or left out\n\nNothing.', 'Where to send it'):
        assert f'## {title}' in text
    for (config, plugin, dtype), row in trained.items():
        assert f'| {config} | {dtype} | {plugin} | {float(row["iteration_ms"]):.1f} [' in text
    assert 'attach\nreport.md and report.csv' in done.stdout


def test_interrupted_report_has_what_was_measured(command, tmp_path):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
                               env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert next(line for line in process.stdout if 'Could not import OneDL' not in line).startswith('tests: ')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'report.md and report.csv' in output
    text, rows = written(tmp_path)
    assert [row['part'] for row in rows] == ['tests', 'report']
    assert 'report: interrupted, what is missing was left out' in text


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_it_is_refused_in_one_line(command, tmp_path):
    command.remove('--tiny')
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith('error: --gpus 1: torch sees 0 GPU(s) here')
    assert '--tiny' in done.stderr
    assert not (tmp_path / 'out').exists()


def test_page_lists_what_failed_and_what_was_measured_less_often():
    facts = Facts('A Card', 'cuda', 1, 'command', '2026-01-02', {}, 50, 12)
    trained = dict(part='training', config='c', plugin='se', dtype='fp32', iteration_ms=1.0, iteration_ms_q1=1.0,
                   iteration_ms_q3=1.0, peak_mb=1.0, launches=9, iterations=17)
    text = page([trained, dict(part='training', config='c', plugin='dmsca', dtype='amp', note='failed: reason'),
                 dict(part='cost', level='operator', dtype='amp', note='left out: the time was over')], facts)
    assert '- training c dmsca amp: failed: reason' in text
    assert '- cost operator amp: left out: the time was over' in text
    assert '- 1 rows have fewer iterations than the 50 planned, at least 17: the time was short' in text
    assert 'trial' not in text
