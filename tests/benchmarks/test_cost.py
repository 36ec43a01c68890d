"""Measurements at tiny sizes: every column is filled, and values known in advance are reproduced."""
import csv
import os
import sys

import cost
import draw
import pytest
import scaling
import torch
from contenders import CONTENDERS, Contender, chosen
from measure import LEAST_ROUNDS, Subject
from setting import Setting

from dmsca_mm.attention.peers import SE
from dmsca_mm.errors import exit_on_usage_error

SHAPE = (2, 64, 8, 8)
BYTES = 2 * 64 * 8 * 8 * 4
QUICK = Setting(rounds=2)
EAGER = [name for name, contender in CONTENDERS.items() if not contender.compiled]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a script's ``main`` with arguments and return the rows that it wrote."""
    def call(script, *arguments):
        monkeypatch.setattr(sys, 'argv', [script.__name__, *arguments, '--out', str(tmp_path / 'results')])
        exit_on_usage_error(script.main)
        (path,) = (tmp_path / 'results').glob('*.csv')
        assert path.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
        with path.open(newline='') as file:
            return path.name, list(csv.DictReader(file))
    return call


class Broken(Contender):
    """A contender that runs out of memory."""

    def operator(self, channels):
        raise torch.OutOfMemoryError('would need\nmore')


@pytest.fixture(scope='module')
def rows():
    contenders = [*chosen(EAGER, 'cpu'), Broken('broken', None)]
    return {row['contender']: row for row in cost.measure_operator(contenders, SHAPE, QUICK)}


def test_parameters_are_those_of_the_modules(rows):
    for name in EAGER:
        contender = CONTENDERS[name]
        count = sum(parameter.numel() for parameter in contender.operator(64).parameters())
        assert rows[contender.label]['parameters'] == count
    assert rows['SE']['parameters'] == 2 * 64 * 4


def test_multiply_adds_of_se_are_its_matrix_products(rows):
    assert 2 * 64 * 4 <= rows['SE']['flops'] <= 2 * 64 * 4 + 64 * 8 * 8, 'the pool may count once an element'


def test_plain_is_its_own_measure(rows):
    plain = rows['plain']
    assert {plain[f'{name}_ratio{q}'] for name in ('inference', 'train') for q in ('', '_q1', '_q3')} == {1.0}
    assert plain['extra_mb'] == 0


def test_memory_of_a_copy_is_the_output_and_the_gradient():
    plain = CONTENDERS['plain']
    subject = Subject(plain, plain.operator(64), torch.randn(SHAPE, requires_grad=True), QUICK)
    assert subject.peak_bytes() == subject.peak_bytes() == 2 * BYTES


def test_memory_counts_what_backward_keeps(rows):
    assert rows['SE']['extra_mb'] * 1e6 >= 2 * 64 * 4 * 4, 'at least the gradients of its parameters'
    assert rows['DMSCA literal']['extra_mb'] * 1e6 > 5 * BYTES, 'several maps more than the plain one'


def test_quartiles_enclose_the_median_and_the_floor_is_one_and_a_half_copies(rows):
    for label, row in rows.items():
        if label == 'broken':
            continue
        for key in ('inference_ms', 'inference_ratio', 'train_ms', 'train_ratio'):
            assert 0 < row[f'{key}_q1'] <= row[key] <= row[f'{key}_q3']
        assert row['floor_ms'] == pytest.approx(1.5 * rows['plain']['inference_ms'], abs=2e-4)
        assert label == 'plain' or row['floor_share'] == pytest.approx(row['floor_ms'] / row['inference_ms'], abs=1e-4)
        assert label == 'plain' or row['backward_floor_share'] == pytest.approx(
            5 / 3 * row['floor_ms'] / (row['train_ms'] - row['inference_ms']), rel=1e-2, abs=1e-4)  # four decimals


def test_what_cannot_run_is_said_in_table_and_picture(rows, tmp_path):
    assert rows['broken']['note'] == 'left out: OutOfMemoryError: would need'
    assert 'broken                  left out: OutOfMemoryError' in cost.table(list(rows.values()))
    assert 'broken left out: OutOfMemoryError' in draw.caption(list(rows.values()), 'what')
    draw.costs(list(rows.values()), None, tmp_path / 'picture.png')
    assert (tmp_path / 'picture.png').exists()


def test_stage_shapes_are_those_of_a_resnet():
    assert cost.stage_shapes((800, 1344), 1) == [(1, 256, 200, 336), (1, 512, 100, 168), (1, 1024, 50, 84),
                                                 (1, 2048, 25, 42)]
    outputs = CONTENDERS['plain'].backbone()(torch.randn(2, 3, 40, 72))
    assert [tuple(output.shape) for output in outputs] == cost.stage_shapes((40, 72), 2)


def test_a_gpu_has_more_to_compare():
    more = {contender.label for contender in chosen(None, 'cuda')} - {c.label for c in chosen(None, 'cpu')}
    assert more == {'DMSCA literal compiled'}


def test_contender_without_kernels_runs_without_them_forward_and_backward(monkeypatch):
    monkeypatch.delenv('DMSCA_KERNELS', raising=False)
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append(os.environ.get('DMSCA_KERNELS'))
            y = x * 2
            if y.requires_grad:
                y.register_hook(lambda _: seen.append(os.environ.get('DMSCA_KERNELS')))
            return y
    subject = Subject(CONTENDERS['no-kernels'], Spy(), torch.randn(SHAPE, requires_grad=True), QUICK)
    seen.clear()
    subject.seconds('train', subject.train, 1)
    subject.peak_bytes()
    assert seen == ['0', '0'] * 4
    assert 'DMSCA_KERNELS' not in os.environ


def test_rounds_end_with_the_time():
    setting = Setting(rounds=50, seconds=0.0)
    assert {row['rounds'] for row in cost.measure_operator(chosen(['se'], 'cpu'), SHAPE, setting)} == {LEAST_ROUNDS}


def test_models_and_inputs_have_the_memory_format():
    contender = CONTENDERS['plain']
    subject = Subject(contender, contender.backbone(18), torch.randn(2, 3, 32, 32),
                      Setting(rounds=1, memory_format='channels_last'))
    assert subject.x.is_contiguous(memory_format=torch.channels_last)
    assert subject.model.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in subject.forward())


def test_mixed_precision_on_the_cpu_is_bfloat16():
    with Setting(dtype='amp').autocast():
        assert (torch.randn(2, 2) @ torch.randn(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(('depth', 'blocks'), [(50, 3 + 4 + 6 + 3), (18, 4 * 2)])
def test_backbone_has_the_attention_in_every_block(depth, blocks):
    backbone = CONTENDERS['se'].backbone(depth)
    assert sum(isinstance(module, SE) for module in backbone.modules()) == blocks
    assert CONTENDERS['plain'].backbone(depth).training


@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'amp'])
def test_operator_level_writes_a_table_and_a_picture(run, dtype):
    name, rows = run(cost, '--level', 'operator', '--size', '32x32', '--rounds', '2', '--dtype', dtype, '--contenders',
                     'fast', 'se')
    assert name == f'cost_operator_32x32_b1_cpu_{dtype}.csv'
    assert tuple(rows[0]) == cost.COLUMNS
    assert [row['contender'] for row in rows] == ['plain', 'SE', 'DMSCA fast'] * 4
    assert [row['shape'] for row in rows[::3]] == ['1x256x8x8', '1x512x4x4', '1x1024x2x2', '1x2048x1x1']
    for row in rows:
        assert (row['device'], row['dtype'], row['rounds'], row['torch']) == ('cpu', dtype, '2', torch.__version__)
        assert row['machine']
        assert not row['note']


@pytest.mark.slow
def test_backbone_level_writes_a_table_and_a_picture(run):
    name, rows = run(cost, '--level', 'backbone', '--size', '32x32', '--batch', '2', '--rounds', '2',
                     '--contenders', 'eca')
    assert name == 'cost_resnet50_32x32_b2_cpu_fp32.csv'
    plain, eca = rows
    assert [row['launches_forward'] for row in rows] == ['0', '5']
    assert [row['launches_backward'] for row in rows] == ['0', '9']
    assert [plain[key] for key in ('shape', 'train_ratio', 'extra_mb', 'floor_ms')] == ['2x3x32x32', '1.0', '0.0', '']
    assert plain['parameters'] == '23508032'
    assert int(eca['parameters']) - 23508032 == (3 + 4 + 6) * 5 + 3 * 7


@pytest.mark.slow
def test_shallow_backbone_has_its_own_table(run):
    name, rows = run(cost, '--level', 'backbone', '--depth', '18', '--size', '32x32', '--batch', '2', '--rounds', '2',
                     '--contenders', 'eca')
    assert name == 'cost_resnet18_32x32_b2_cpu_fp32.csv'
    assert [row['parameters'] for row in rows] == ['11176512', str(11176512 + 2 * (3 + 5 + 5 + 5))]


def test_settings_do_not_overwrite_each_other(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, 'measure', lambda *_: [dict(contender='plain')])
    monkeypatch.setattr(draw, 'costs', lambda rows, network, path: path.write_bytes(b'\x89PNG'))
    monkeypatch.setattr(cost, 'table', lambda rows: '')
    names = []
    for more in ([], ['--size', '800x1344', '--batch', '1'], ['--batch', '8'], ['--depth', '18'], ['--dtype', 'amp'],
                 ['--memory-format', 'channels_last']):
        names.append(run(cost, '--level', 'backbone', *more)[0])
        (tmp_path / 'results' / names[-1]).unlink()
    assert names == [
        'cost_resnet50_cpu_fp32.csv', 'cost_resnet50_800x1344_b1_cpu_fp32.csv', 'cost_resnet50_256x256_b8_cpu_fp32.csv',
        'cost_resnet18_cpu_fp32.csv', 'cost_resnet50_cpu_amp.csv', 'cost_resnet50_cpu_fp32_channels_last.csv']


def test_scaling_writes_a_table_and_a_picture(run, monkeypatch):
    monkeypatch.setattr(scaling, 'SIDES', (4, 8))
    monkeypatch.setattr(scaling, 'CHANNELS', (16, 32))
    name, rows = run(scaling, '--rounds', '2', '--contenders', 'se')
    assert name == 'scaling_cpu_fp32.csv'
    assert [(row['axis'], row['size']) for row in rows[::2]] == [('pixels', '16'), ('pixels', '64'), ('channels', '16'),
                                                                 ('channels', '32')]


def test_slope_of_a_quadratic_is_two():
    rows = [dict(axis='pixels', contender='c', size=size, train_ms=size ** 2) for size in (3, 10, 20)]
    assert scaling.slopes(rows) == {('pixels', 'c'): pytest.approx(2)}


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--size', '32'], ['--size', "'32'", 'HEIGHTxWIDTH']), (['--size', '8x64'], ['at least 32', "'8x64'"]),
    (['--rounds', '0'], ['--rounds', "'0'", 'at least 1']),
    (['--contenders', 'sse'], ["'sse'", 'choose from plain, se']),
    (['--dtype', 'fp8'], ['--dtype', "'fp8'"]),
    pytest.param(['--device', 'cuda'], ['no GPU'],
                 marks=pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU'))])
def test_bad_argument_ends_with_one_line_and_exit_code_2(run, capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        run(cost, '--level', 'operator', *arguments)
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert all(word in last for word in words)
