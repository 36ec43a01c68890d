"""The table of bytes holds the plan's numbers and states that nothing was measured."""
import csv
import subprocess
import sys

import pytest
from cost import stage_shapes
from gpu_traffic import BATCHES, IMAGES, rows

from dmsca_mm.attention.dmsca.triton.traffic import floor, traffic


def test_a_launch_has_what_it_reads_and_writes_and_a_pass_its_sum():
    shape = 8, 256, 200, 336
    found = rows([shape])
    for name, launches, least in zip(('forward', 'backward'), traffic(shape, 2), floor(shape, 2),
                                     strict=True):
        values = {(row['launch'], row['quantity']): float(row['8x256x200x336']) for row in found
                  if row['pass'] == name}
        for launch in launches:
            assert values[launch.launch, 'MB read'] == pytest.approx(launch.reads / 1e6, abs=0.01)
            assert values[launch.launch, 'MB written'] == pytest.approx(launch.writes / 1e6, abs=0.01)
        total = sum(value for (launch, _), value in values.items() if launch != 'all')
        assert values['all', 'MB moved'] == pytest.approx(total, abs=0.1)
        assert values['all', 'moved / at least'] == pytest.approx(total / (least / 1e6), abs=0.01)
        assert len(values) == 2 * len(launches) + 4


def test_the_command_writes_a_table_of_all_stages_and_batches(repository, tmp_path):
    done = subprocess.run([sys.executable, repository / 'benchmarks/gpu_traffic.py', '--out', tmp_path], check=True,
                          capture_output=True, text=True)
    assert 'computed, not measured' in done.stdout
    with (tmp_path / 'gpu_traffic.csv').open(newline='') as file:
        found = list(csv.DictReader(file))
    shapes = ['x'.join(map(str, shape)) for batch in BATCHES for shape in stage_shapes(IMAGES, batch)]
    assert {'2x256x200x336', '8x2048x25x42'} < set(shapes)
    assert list(found[0]) == ['pass', 'launch', 'quantity', *shapes, 'command', 'date']
    assert all(float(row[shape]) >= 0 for row in found for shape in shapes)
