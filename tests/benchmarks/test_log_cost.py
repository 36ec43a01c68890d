"""The cost of logging is measured on steps of a real model."""
import re
import subprocess
import sys

import pytest


@pytest.mark.soak
def test_it_tells_the_time_of_a_step_and_of_telling(repository, untrained, digits, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = {untrained('segmenter')[0]!r}\n"
                      f"train_dataloader = dict(batch_size=2, dataset=dict(data_root={f'{digits}/'!r}))\n")
    done = subprocess.run([sys.executable, repository / 'benchmarks/log_cost.py', config, '--rounds', '2'],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = re.search(r'a step takes (\d+) ms; .* takes (-?\d+) ms more, once in 20 steps: (-?[\d.]+) % of the time',
                     done.stdout)
    step, extra, percent = map(float, printed.groups())
    assert percent == pytest.approx(100 * extra / (20 * step), abs=0.3)
