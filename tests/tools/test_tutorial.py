"""docs/tutorial.ipynb runs from an empty folder and shows the outputs that its text states."""
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PAGE = Path(__file__).parents[2] / 'docs/tutorial.ipynb'
SIZE = 'IMAGES, EPOCHS = '


@pytest.fixture
def tutorial():
    return nbformat.read(PAGE, as_version=4)


def printed(cell):
    return ''.join(output.get('text', '') for output in cell.get('outputs', ()))


def pictures(book):
    return [output for cell in book.cells for output in cell.get('outputs', ())
            if {'image/jpeg', 'image/png'} & output.get('data', {}).keys()]


@pytest.mark.slow
def test_tutorial_runs_from_an_empty_folder(tutorial, tmp_path, monkeypatch):
    """With few images and one epoch."""
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}:/usr/bin:/bin')
    sizes = [cell for cell in tutorial.cells if cell.source.startswith(SIZE)]
    assert len(sizes) == 1
    sizes[0].source = f'{SIZE}24, 1'
    NotebookClient(tutorial, timeout=600, kernel_name='python3', resources=dict(metadata=dict(path=tmp_path))).execute()
    output = '\n'.join(map(printed, tutorial.cells))
    assert re.search(r'^True$', output, re.MULTILINE)
    assert re.search(r'Epoch\(val\).*bbox_mAP: [\d.]+', output)
    assert re.search(r'^tested: ', output, re.MULTILINE)
    assert len(pictures(tutorial)) == 2
    assert (tmp_path / 'dmsca_tutorial/run/report.html').exists()


def test_tutorial_is_shown_with_its_pictures_and_names_no_folder_of_who_ran_it(tutorial):
    assert len(pictures(tutorial)) == 2
    assert PAGE.stat().st_size < 1_000_000
    assert [path for cell in tutorial.cells for path in re.findall(r'/(?:home|root|work|tmp)/\S*', printed(cell))] == []


def test_links_of_the_tutorial_lead_somewhere(tutorial):
    links = [link for cell in tutorial.cells if cell.cell_type == 'markdown'
             for link in re.findall(r'\]\(([^)\s#]+)', cell.source)]
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
