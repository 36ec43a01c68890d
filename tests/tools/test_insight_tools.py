"""The tools that inspect a model, as a user runs them."""
import json

import pytest
from commands import assert_one_line, own_lines


@pytest.fixture
def image(digits):
    return sorted((digits / 'images/validation').glob('*'))[0]


def test_show_attention_draws_a_figure_an_image(call_here, untrained, image, tmp_path):
    done = call_here('show_attention.py', *untrained('segmenter'), image, '--out', 'figures', '--stages', 2, 3)
    assert done.returncode == 0, done.stderr
    assert own_lines(done) == [f'figures/{image.stem}.attention.png']
    assert (tmp_path / own_lines(done)[0]).stat().st_size > 10_000


def test_show_attention_takes_a_folder_and_says_where_nothing_is_found(call_here, untrained, digits, tmp_path):
    folder = digits / 'images/validation'
    done = call_here('show_attention.py', *untrained('detector'), folder, '--out', 'figures', '--grad-cam',
                     '--stages', 4, '--cfg-options', 'model.test_cfg.rcnn.score_thr=0.99')
    assert done.returncode == 0, done.stderr
    assert own_lines(done) == [f'figures/{path.stem}.grad_cam.png' for path in sorted(folder.iterdir())]
    (tmp_path / 'empty').mkdir()
    assert_one_line(call_here('show_attention.py', *untrained('detector'), 'empty', '--out', 'none'),
                    'folder empty holds no image file')
    assert not (tmp_path / 'none').exists()


def test_alignment_prints_and_keeps_its_numbers(call, untrained, digits, tmp_path):
    done = call('test_alignment.py', *untrained('segmenter'), '--images', 2, '--stages', 4, '--out', 'numbers',
                '--cfg-options', f'test_dataloader.dataset.data_root={digits}/')
    assert done.returncode == 0, done.stderr
    lines = own_lines(done)
    assert lines[0].split() == ['model,', 'map,', 'stage', 'area', 'pointing', 'energy', 'iou', 'precision']
    rows = json.loads((tmp_path / 'numbers/alignment.json').read_text())['rows']
    assert len(lines) == 2 + sum(row['size'] == 'all' for row in rows)
    assert lines[-1].endswith('picture: numbers/alignment.png')
    assert 'warning: only 2 images with objects: the 95 % intervals (bootstrap over images)' in done.stderr
    assert all(row['interval'][name][0] <= row[name] <= row['interval'][name][1] for row in rows
               for name in ('pointing', 'energy', 'precision'))


@pytest.mark.parametrize(('tool', 'more', 'words'), [
    ('show_attention.py', ['none.jpg', '--out', 'figures'], 'none.jpg cannot be read'),
    ('show_attention.py', ['none.jpg', '--out', 'figures', '--plugin', 'none'], 'is not of'),
    ('test_alignment.py', ['--images', '1'], '--images is 1')])
def test_mistakes_are_one_line(tool, more, words, call_here, untrained, tmp_path):
    assert_one_line(call_here(tool, *untrained('detector'), *more), words)
    assert list(tmp_path.iterdir()) == []
