"""The performance page shows exactly what the tables contain."""
import csv

import pytest
from page import page

from dmsca_mm.errors import UsageError

MAIN = 'cost_resnet50_cpu_fp32.csv'
SETTING = dict(shape='4x3x256x256', rounds=9, device='cpu', dtype='fp32', memory_format='contiguous',
               machine='A Processor', cores=2, threads=2, torch='2.13.0', date='2026-01-02', note='')


def row(contender, train, inference, extra_mb=0, launches=(0, 0), **more):
    return dict(SETTING, contender=contender, parameters=23_508_032, flops=4.1e9, train_ratio=train,
                inference_ratio=inference, extra_mb=extra_mb, launches_forward=launches[0],
                launches_backward=launches[1]) | more


ROWS = [row('plain', 1, 1), row('SE', 1.061, 1.049, 115.8, (7, 10)), row('CBAM', 1.317, 1.19, 226, (19, 33)),
        row('DMSCA fast', 1.123, 1.081, 160.4, (4, 6))]


def write(path, rows):
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def results(tmp_path):
    write(tmp_path / MAIN, ROWS)
    return tmp_path


def test_expectation_is_made_of_the_figures_of_the_main_table(results):
    text = page(results).split('## What to expect')[1].split('##')[0]
    assert 'a training step takes 1.12 of the time that it takes without, and inference 1.08' in text
    assert 'with SE 1.06 and 1.05, with CBAM 1.32 and 1.19 (A Processor, 2 threads, 2026-01-02)' in text
    assert 'needs +160 MB of memory, SE +116 MB, CBAM +226 MB' in text
    assert 'launches 4 kernels forward and 6 backward; SE 7; 10, CBAM 19; 33' in text
    assert 'No network has been timed on a GPU' in text
    assert text.count('![') == 1


def test_main_table_has_every_row_with_command_date_and_machine(results):
    write(results / MAIN, [*ROWS, row('Other', '', '', note='left out: too large')])
    text = page(results)
    assert '| DMSCA fast | 1.12 | 1.08 | +160 MB | 4; 6 | 23.508 M | 4.100 G |' in text
    assert '| Other | left out: too large |' in text
    assert ('cost.py --level backbone --depth 50 --size 256x256 --batch 4 --device cpu --dtype fp32 --rounds 9 '
            '--contenders se cbam fast`, 2026-01-02, A Processor, 2 threads, torch 2.13.0') in text


def test_other_tables_are_linked_with_their_setting_and_figures(results):
    write(results / 'cost_resnet18_cpu_amp_channels_last.csv',
          [dict(one, memory_format='channels_last', dtype='amp') for one in ROWS])
    write(results / 'cost_operator_cpu_fp32.csv',
          [dict(one, shape=shape) for shape in ('1x256x200x336', '1x512x100x168') for one in ROWS])
    write(results / 'scaling_cpu_fp32.csv', ROWS)
    text = page(results).split('## Other settings')[1]
    assert ('**ResNet-18, 256x256, batch 4, cpu, amp, channels_last**: SE 1.06; 1.05, CBAM 1.32; 1.19, '
            'DMSCA 1.12; 1.08.') in text
    assert '(../benchmarks/results/cost_resnet18_cpu_amp_channels_last.csv)' in text
    assert '(../benchmarks/results/cost_resnet18_cpu_amp_channels_last.png)' in text
    assert '--device cpu --dtype amp --memory-format channels_last --rounds 9' in text
    assert 'on the four maps of 800x1344 images, batch 1, cpu, fp32' in text
    assert 'cost.py --level operator --size 800x1344 --batch 1' in text
    assert 'benchmarks/scaling.py --device cpu' in text
    assert '| DMSCA fast |' not in text, 'long tables are linked, not shown'


def test_tables_of_another_machine_are_linked_from_a_folder_of_their_own(results):
    (results / 'other').mkdir()
    write(results / 'other' / MAIN, [dict(one, machine='Another') for one in ROWS])
    text = page(results).split('## Other settings')[1]
    assert '**ResNet-50, 256x256, batch 4, cpu, fp32, Another**: SE 1.06; 1.05' in text
    assert '(../benchmarks/results/other/cost_resnet50_cpu_fp32.csv)' in text
    assert '--contenders se cbam fast --out benchmarks/results/other`, 2026-01-02, Another, 2 threads' in text


@pytest.mark.parametrize('folder', ['', 'other'])
def test_figures_of_a_gpu_replace_the_statement_that_there_are_none(folder, results):
    (results / folder).mkdir(exist_ok=True)
    write(results / folder / 'cost_resnet50_800x1344_b8_cuda_bf16.csv',
          [dict(one, device='cuda', dtype='bf16', machine='A Card', train_ratio=1.5) for one in ROWS])
    text = page(results)
    assert 'No network has been timed on a GPU' not in text
    assert 'On A Card in bf16 the ratios are SE 1.50; 1.05, CBAM 1.50; 1.19, DMSCA 1.50; 1.08.' in text


def test_times_of_the_gpu_kernels_are_added_up_beside_copies_of_the_map(results):
    assert 'The kernels on a GPU' not in page(results)
    made = dict(card='A Card', torch='2.11', date='2026-01-03', dtype='bf16', command='`make launches`')
    write(results / 'gpu_launches.csv', [
        dict(made, shape='2x256x8x8', launch='reduce', us=20.0, launches=1),
        dict(made, shape='2x256x8x8', launch='means', us=5.0, launches=2),
        dict(made, shape='2x256x8x8', launch='copy', us=2.5, launches=1)])
    text = page(results)
    assert '| 2x256x8x8 | bf16 | 30 | 10 | 3.0 |' in text
    assert '`make launches`, 2026-01-03, A Card, torch 2.11' in text


def test_without_the_main_table_or_its_figures_the_error_names_the_remedy(results):
    write(results / MAIN, ROWS[:2])
    with pytest.raises(UsageError, match=r'no figures of CBAM, DMSCA fast: run "make bench"'):
        page(results)
    (results / MAIN).unlink()
    with pytest.raises(UsageError, match=rf'no {MAIN} .*: run "make bench"'):
        page(results)


def test_the_page_in_docs_is_that_of_the_results(repository):
    assert page(repository / 'benchmarks/results') == (repository / 'docs/performance.md').read_text()
