"""The cost of the check is measured on data that pass it."""
import check_cost
from mmengine.config import Config

from dmsca_mm.preflight.data import check_data


def test_the_stand_in_passes_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(check_cost, 'LINKS', 2)
    dataset = check_cost.stand_in(tmp_path, 5, 500)
    config = Config(dict(default_scope='mmdet', train_dataloader=dict(dataset=dataset)))
    assert check_data(config, ('train_dataloader',)) == []


def test_both_figures_are_printed(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['check_cost.py', '--images', '4', '--boxes', '40'])
    check_cost.main()
    lines = [line.split(':')[0] for line in capsys.readouterr().out.splitlines() if 'processor time' in line]
    assert lines == ['check', 'mmdet']
