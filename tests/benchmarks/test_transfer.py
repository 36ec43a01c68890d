"""The comparison of starts: what it runs, that both starts differ in nothing else, and its tables."""
import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dmsca_mm.errors import UsageError


@pytest.fixture
def transfer(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / 'benchmarks'))
    for name in ('transfer', 'study', 'runs'):
        sys.modules.pop(name, None)
    import transfer
    return transfer


def detectors(transfer, work, seed=0):
    return [transfer.Detector(start, seed, 1, work / 'classifier.pth', work, Path('data')) for start in transfer.STARTS]


def test_the_starts_differ_in_the_weights_alone(transfer, tmp_path):
    scratch, pretrained = (run.steps()[0][1] for run in detectors(transfer, tmp_path))
    beyond = [word for word in pretrained if word not in scratch and not word.startswith(f'{tmp_path}/')]
    assert all(word.startswith('model.backbone.init_cfg.') for word in beyond)
    assert f'model.backbone.init_cfg.checkpoint={tmp_path}/classifier.pth' in beyond
    elsewhere = [word.replace(f'{tmp_path}/scratch/', f'{tmp_path}/pretrained/', 1) for word in scratch]
    assert elsewhere == pretrained[:len(scratch)]
    assert 'randomness.seed=0' in scratch


def test_the_trainings_are_such_that_the_tools_take_them(transfer, untrained, digits, digit_classes, tmp_path):
    """Every entry that the comparison sets is an entry of the configs, and the classifier's weights fit."""
    from dmsca_mm.runtime import cli, run
    _, weights = untrained('classifier')
    runs = [transfer.Classifier(tmp_path, digit_classes),
            *(transfer.Detector(start, 0, 1, Path(weights), tmp_path, digits) for start in transfer.STARTS)]
    for one in runs:
        parser = cli.parser('')
        parser.add_argument('--resume', nargs='?', const='auto')
        values = vars(parser.parse_args(one.steps()[0][1][1:]))
        run.check(values['config'], values['cfg_options'], work_dir=values['work_dir'])


def finish(run, value):
    """Leaves behind what a detector leaves behind."""
    (weights, _), _ = run.steps()
    folder = run.folder / 'test/20260101_000000'
    folder.mkdir(parents=True)
    torch.save({}, weights)
    (folder / f'{folder.name}.json').write_text(json.dumps({'coco/bbox_mAP': value, 'coco/bbox_mAP_50': 2 * value}))


def test_a_run_is_done_when_it_is_trained_and_tested(transfer, tmp_path):
    run, _ = detectors(transfer, tmp_path)
    assert not run.is_done()
    finish(run, 0.25)
    assert run.is_done()
    assert run.row() == dict(start='scratch', seed=0, epochs=1, mAP=0.25, mAP_50=0.5)
    (run.folder / 'test/20260101_000000/20260101_000000.json').write_text('{')
    with pytest.raises(UsageError, match='holds no figures'):
        run.row()


def test_tables_hold_the_paired_differences(transfer, tmp_path, monkeypatch, capsys):
    for seed, values in enumerate([(0.1, 0.2), (0.2, 0.35), (0.3, 0.35)]):
        for run, value in zip(detectors(transfer, tmp_path, seed), values, strict=True):
            finish(run, value)
    (tmp_path / 'classifier').mkdir()
    torch.save({}, transfer.Classifier(tmp_path, Path('x')).weights)
    for name in ('make_digits', 'make_digit_classes'):
        monkeypatch.setattr(transfer, name, lambda folder: False)
    monkeypatch.setattr('sys.argv', ['transfer', '--work-dir', str(tmp_path), '--results', str(tmp_path)])
    transfer.main()
    assert '7 of 7 runs are done' in capsys.readouterr().out
    with (tmp_path / 'transfer_summary.csv').open(newline='') as file:
        scratch, pretrained = (SimpleNamespace(**row) for row in csv.DictReader(file))
    assert (scratch.mAP, scratch.mAP_difference) == ('0.2', '0.0')
    assert (pretrained.mAP, pretrained.mAP_difference, pretrained.mAP_difference_std) == ('0.3', '0.1', '0.05')
    with (tmp_path / 'transfer.csv').open(newline='') as file:
        assert [float(row['mAP']) for row in csv.DictReader(file)] == [0.1, 0.2, 0.2, 0.35, 0.3, 0.35]
