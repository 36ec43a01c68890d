"""The page of figures holds what the tables hold, and nothing else."""
import csv
import sys

import pytest

from dmsca_mm.errors import UsageError


@pytest.fixture
def page(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / 'benchmarks'))
    sys.modules.pop('page', None)
    import page
    return page.page


def test_page_tells_command_date_machine_and_every_row(page, tmp_path):
    shared = dict(shape='4x3x256x256', rounds=9, device='cpu', dtype='fp32', machine='A Processor', cores=2, threads=2,
                  torch='2.13.0', date='2026-01-02', floor_share='', copy_gb_per_s='', note='')
    rows = [dict(shared, contender='plain', parameters=23_508_032, flops=4.1e9, inference_ratio=1, train_ratio=1,
                 extra_mb=0),
            dict(shared, contender='DMSCA fast', parameters=26_087_648, flops=4.2e9, inference_ratio=1.081,
                 train_ratio=1.123, extra_mb=160.4),
            dict(shared, contender='Other', parameters='', flops='', inference_ratio='', train_ratio='', extra_mb='',
                 note='left out: too large')]
    with (tmp_path / 'cost_resnet50_cpu_fp32.csv').open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = page(tmp_path)
    assert ('cost.py --level backbone --depth 50 --size 256x256 --batch 4 --device cpu --dtype fp32 --rounds 9`, '
            '2026-01-02') in text
    assert 'A Processor, 2 threads, torch 2.13.0' in text
    assert '| DMSCA fast | 26.088 M | 4.200 G | 1.08 | 1.12 | +160 MB |' in text
    assert '| Other | left out: too large |' in text
    assert 'cost_resnet50_cpu_fp32.png' in text
    assert 'No GPU has been measured' in text


def test_tables_of_a_gpu_end_the_word_that_there_are_none(page, repository, tmp_path):
    table = (repository / 'benchmarks/results/cost_resnet50_cpu_fp32.csv').read_text()
    (tmp_path / 'cost_resnet50_cuda_bf16.csv').write_text(table)
    assert 'No GPU has been measured' not in page(tmp_path)


def test_the_floor_has_a_column_and_the_copy_no_share_of_it(page, tmp_path):
    shared = dict(shape='1x8x4x4', rounds=9, device='cpu', dtype='fp32', machine='A Processor', cores=2, threads=2,
                  torch='2.13.0', date='2026-01-02', copy_gb_per_s='12.5', note='', parameters=8, flops=0, extra_mb=0)
    rows = [dict(shared, contender='plain', inference_ratio=1, train_ratio=1, floor_share='',
                 backward_floor_share=''),
            dict(shared, contender='SE', inference_ratio=1.5, train_ratio=2, floor_share='0.62',
                 backward_floor_share='0.4')]
    with (tmp_path / 'cost_operator_cpu_fp32.csv').open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = page(tmp_path)
    assert 'copies at 12.5 GB/s' in text
    assert '| plain | 0.000 M | 0.000 G | 1.00 | 1.00 | +0 MB |  |  |' in text
    assert '| SE | 0.000 M | 0.000 G | 1.50 | 2.00 | +0 MB | 62 % | 40 % |' in text


def test_no_tables_name_the_way_out(page, tmp_path):
    with pytest.raises(UsageError, match='make bench'):
        page(tmp_path)
