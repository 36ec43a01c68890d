"""Times of the GPU kernels: an error line without a GPU; otherwise the table has every launch of a step."""
import csv
import sys

import gpu_launches
import pytest
import torch

from dmsca_mm.errors import UsageError


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU here')
def test_without_a_gpu_the_way_out_is_named_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['gpu_launches.py', '--out', str(tmp_path)])
    with pytest.raises(UsageError, match=r'no GPU here; python benchmarks/gpu_traffic.py'):
        gpu_launches.main()
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU; there is none here')
def test_a_step_has_five_launches_forward_seven_backward_and_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_launches, 'IMAGES', (64, 64))
    monkeypatch.setattr(sys, 'argv', ['gpu_launches.py', '--out', str(tmp_path)])
    gpu_launches.main()
    with (tmp_path / 'gpu_launches.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    for shape in {row['shape'] for row in rows}:
        launches = {row['launch']: int(row['launches']) for row in rows
                    if row['shape'] == shape and row['dtype'] == 'bf16'}
        assert launches.pop('copy') == 1
        assert sum(launches.values()) == 12
