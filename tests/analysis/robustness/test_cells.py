"""Stored metrics are read back, and those of another model or other data are refused."""
import json

import pytest

from dmsca_mm.analysis.robustness.cells import CLEAN, Cells
from dmsca_mm.errors import UsageError

IDENTITY = dict(checkpoint='aa', config='bb')
FOUND = {CLEAN: dict(mIoU=70.5, other=None), ('gaussian_noise', 5): dict(mIoU=1.0)}


@pytest.fixture
def cells(tmp_path):
    cells = Cells(tmp_path / 'deep/cells', IDENTITY)
    for cell, metrics in FOUND.items():
        cells.write(cell, metrics)
    return cells


def test_metrics_come_back(cells):
    assert cells.read() == FOUND
    assert sorted(path.name for path in cells.folder.iterdir()) == ['clean_0.json', 'gaussian_noise_5.json']


def test_a_folder_that_is_not_there_is_empty_and_stays_away(tmp_path):
    assert Cells(tmp_path / 'none', IDENTITY).read() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('what', IDENTITY)
def test_results_of_another_model_are_refused_until_dropped(what, cells):
    other = Cells(cells.folder, {**IDENTITY, what: 'cc'})
    with pytest.raises(UsageError, match=f'another {what}.*--out.*--overwrite'):
        other.read()
    other.drop()
    assert other.read() == {}


@pytest.mark.parametrize('content', ['{"metrics"', '', '[]'])
def test_a_file_that_is_no_cell_is_named(content, cells):
    (cells.folder / 'fog_1.json').write_text(content)
    with pytest.raises(UsageError, match=r'fog_1.json is no cell.*remove it'):
        cells.read()


def test_files_say_themselves_whose_they_are(cells):
    assert json.loads((cells.folder / 'clean_0.json').read_text()) == {**IDENTITY, 'metrics': FOUND[CLEAN]}
