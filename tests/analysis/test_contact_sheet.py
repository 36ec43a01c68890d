"""The contact sheet shows the pictures that it names."""
import re

import numpy as np
import pytest
from PIL import Image

from dmsca_mm.analysis.contact_sheet import contact_sheet
from dmsca_mm.errors import UsageError


def test_sheet_holds_the_first_pictures_in_their_order(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]
    for index, colour in enumerate(colours):
        path = tmp_path / f'deep/{index}/{index}.png'
        path.parent.mkdir(parents=True)
        Image.new('RGB', (20, 10), colour).save(path)
    found = contact_sheet(tmp_path / 'deep', tmp_path / 'out/sheet.png', count=3, columns=2, width=40)
    assert [path.name for path in found] == ['0.png', '1.png', '2.png']
    sheet = np.asarray(Image.open(tmp_path / 'out/sheet.png'))
    assert sheet.shape == (20 + 8 + 20, 40 + 8 + 40, 3)
    assert [tuple(sheet[y, x]) for y, x in ((10, 20), (10, 68), (38, 20))] == colours[:3]


def test_folder_without_pictures_is_named_with_the_way_out(tmp_path):
    with pytest.raises(UsageError, match=rf'no pictures in {re.escape(str(tmp_path))}: .*--show-dir'):
        contact_sheet(tmp_path, tmp_path / 'sheet.png')
    assert list(tmp_path.iterdir()) == []


def test_a_broken_picture_is_named(tmp_path):
    Image.new('RGB', (20, 10)).save(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a.png').read_bytes()[:40])
    with pytest.raises(UsageError, match=r'b\.png is no picture that can be opened'):
        contact_sheet(tmp_path, tmp_path / 'all.png')
    assert not (tmp_path / 'all.png').exists()


def test_a_sheet_too_large_for_jpeg_is_refused_and_a_png_is_made(tmp_path):
    for name in 'abc':
        Image.new('RGB', (8, 400)).save(tmp_path / f'{name}.png')
    with pytest.raises(UsageError, match=r'has 640×96016 pixels, JPEG takes 65500 a side: give a .png file'):
        contact_sheet(tmp_path, tmp_path / 'sheet.jpg', columns=1)
    assert not (tmp_path / 'sheet.jpg').exists()


def test_sheet_is_not_on_itself(tmp_path):
    for name in ('b.png', 'c.png'):
        Image.new('RGB', (20, 10)).save(tmp_path / name)
    for _ in range(2):
        assert [path.name for path in contact_sheet(tmp_path, tmp_path / 'all.png')] == ['b.png', 'c.png']


@pytest.mark.parametrize('name', ['sheet', 'sheet.pdfx'])
def test_unknown_suffix_of_the_sheet_is_refused(name, tmp_path):
    Image.new('RGB', (20, 10)).save(tmp_path / 'a.png')
    with pytest.raises(UsageError, match=rf'{name} must end in one of \.png, \.jpg'):
        contact_sheet(tmp_path, tmp_path / name)
