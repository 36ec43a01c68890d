"""The cost of the check is measured on data that passes it."""
import re

import check_cost
import pytest
from mmengine.config import Config

from dmsca_mm.preflight.data import check_data


def test_the_stand_in_passes_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(check_cost, 'LINKS', 2)
    dataset = check_cost.stand_in(tmp_path, 5, 500)
    config = Config(dict(default_scope='mmdet', train_dataloader=dict(dataset=dataset)))
    assert check_data(config, ('train_dataloader',)) == []


@pytest.mark.slow
def test_both_figures_are_printed(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['check_cost.py', '--images', '96', '--boxes', '960'])
    check_cost.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if 'OneDL' not in line]
    assert [re.sub(r'[\d.]+', '#', line) for line in lines] == [
        f'{what}: # s of processor time, # GB of memory' for what in ('check', 'mmdet')]
