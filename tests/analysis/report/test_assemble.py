"""The page is complete, safe and private, whatever is missing from the work directory."""
import re

import pytest
from loglines import trained

from dmsca_mm.analysis.report.assemble import without_places, write_report
from dmsca_mm.errors import UsageError

HOSTILE = '''classes = ('<b>bold</b>', '<script>alert(1)</script>')
data_root = '/home/some one/data/coco/'
load_from = "https://example.org/a/b.pth"
resume = 'file:///srv/secret/last.pth'
'''


@pytest.mark.parametrize(('text', 'expected'), [
    ("root = '/home/some one/coco/'", "root = '…/coco'"), ('from /a/b/c.pth: bad', 'from …/c.pth: bad'),
    ('file:///a/b.pth', '…/b.pth'), ('https://a.org/b/c', 'https://a.org/b/c'), ('data/coco/x', 'data/coco/x'),
    ('work_dirs/a/b.py', 'work_dirs/a/b.py'), ('1/2 and </b>', '1/2 and </b>'), ('(/opt/x/cc)', '(…/cc)')])
def test_absolute_paths_lose_their_folders_and_nothing_else_changes(text, expected):
    assert without_places(text) == expected


def test_names_are_escaped_and_paths_of_the_machine_are_left_out(write_run, tmp_path):
    write_run('20260101_000000', [trained(1, **{'loss_<img src=x>': 1.0}), {'<i>m</i>': 2.0, 'step': 1}],
              config=HOSTILE)
    page = write_report(tmp_path / 'work').read_text()
    assert '&lt;script&gt;alert(1)' in page
    assert not re.search(r'<script|<b>bold|<img src=x|<i>m', page)
    assert 'https://example.org/a/b.pth' in page
    assert 'Not available: the work directory holds no checkpoint.' in page
    assert not re.search(r'some one|/srv|/usr/local|' + re.escape(str(tmp_path)), page)


def test_report_of_a_log_alone_names_what_is_missing(write_run, tmp_path):
    write_run('20260101_000000', [trained(1)], log='')
    path = write_report(tmp_path / 'work')
    assert path == tmp_path / 'work/report.html'
    page = path.read_text()
    for sentence in ('Not available: the work directory holds no config.', 'left no text log',
                     'has not been validated yet', 'There is no test in this work directory',
                     'no scalars of DMSCA modules'):
        assert sentence in page, sentence
    sections = re.findall(r'<section id="(\w+)">\s*<h2>', page)
    assert sections == ['figures', 'predictions', 'curves', 'attention', 'cost', 'environment', 'config']
    assert sections == re.findall(r'<a href="#(\w+)">', page)
    assert 'id="predictions"' not in write_report(tmp_path / 'work', images=0).read_text()


def test_truncated_checkpoint_is_named_in_place_of_the_pictures(write_run, repository, tmp_path):
    config = f"_base_ = {str(repository / 'configs/digits/faster_rcnn_r50_dmsca_digits.py')!r}\n"
    write_run('20260101_000000', [trained(1)], config=config)
    (tmp_path / 'work/epoch_1.pth').write_bytes(b'PK\x03\x04')
    page = write_report(tmp_path / 'work').read_text()
    assert 'Not available: no complete checkpoint in' in page
    assert '1.657 M' in page, 'the cost is there all the same'


def test_bad_arguments_are_named_and_nothing_is_written(write_run, tmp_path):
    write_run('20260101_000000', [trained(1)])
    work = tmp_path / 'work'
    before = sorted(work.rglob('*'))
    (tmp_path / 'file').write_text('')
    for options, word in ((dict(images=-1), '--images -1'), (dict(out=work), 'is a folder'),
                          (dict(out=tmp_path / 'file/report.html'), 'file/report.html could not be written')):
        with pytest.raises(UsageError, match=word):
            write_report(work, **options)
    assert sorted(work.rglob('*')) == before
