"""A user's folder of XML files is converted to the layout of docs/data.md and passes the check."""
import numpy as np
import pytest
from commands import assert_one_line
from PIL import Image

DETECTOR = 'configs/bccd/faster_rcnn_r50_dmsca_bccd.py'
SPLITS = ('train', 'val', 'test')
CLASSES = ('RBC', 'WBC', 'Platelets')


@pytest.fixture
def voc(tmp_path):
    """One image per split with a cell of each kind, and a box without area in that of the test."""
    root = tmp_path / 'BCCD_Dataset/BCCD'
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    for split in SPLITS:
        Image.fromarray(np.zeros((480, 640, 3), np.uint8)).save(root / f'JPEGImages/{split}_1.jpg')
        boxes = [(kind, 50 * place + 1, 50 * place + 40) for place, kind in enumerate(CLASSES)]
        boxes += [('RBC', 300, 300)] if split == 'test' else []
        found = ''.join(f'<object><name>{kind}</name><bndbox><xmin>{left}</xmin><ymin>1</ymin><xmax>{right}</xmax>'
                        f'<ymax>40</ymax></bndbox></object>' for kind, left, right in boxes)
        (root / f'Annotations/{split}_1.xml').write_text(
            f'<annotation><filename>{split}_1.jpg</filename><size><width>640</width><height>480</height></size>{found}'
            '</annotation>')
        (root / f'ImageSets/Main/{split}.txt').write_text(f'{split}_1\n')
    return root


def test_what_is_converted_is_taken_by_the_config(voc, call_here, tmp_path):
    for split in SPLITS:
        done = call_here('convert_voc.py', voc, f'data/bccd/{split}.json', '--classes', *CLASSES, '--list',
                         voc / f'ImageSets/Main/{split}.txt', '--mend-boxes')
        assert done.returncode == 0, done.stderr
        assert done.stdout == '1 images with 3 boxes (1 RBC, 1 WBC, 1 Platelets)\n'
        warnings = done.stderr.splitlines()
        assert len(warnings) == (split == 'test')
        assert all('test_1.xml: object 4 (RBC)' in line and 'has no area: left out' in line for line in warnings)
    (tmp_path / 'data/bccd/images').symlink_to(voc / 'JPEGImages')
    checked = call_here('check.py', DETECTOR)
    assert checked.returncode == 0, checked.stderr


def test_a_box_without_area_is_one_line_and_nothing_is_written(voc, call_here, tmp_path):
    assert_one_line(call_here('convert_voc.py', voc, 'data/test.json', '--classes', *CLASSES), 'test_1.xml: object 4',
                    'has no area', '--mend-boxes')
    assert not (tmp_path / 'data').exists()
