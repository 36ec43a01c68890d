"""The report of a real training, made by the command and opened in a real browser without a network."""
import shutil
from itertools import pairwise

import pytest
from commands import DETECTOR, assert_one_line, data_options, short_run
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
HEADINGS = ['Final metrics', 'Predictions and ground truth', 'Attention maps', 'Curves', 'Attention during training',
            'Cost', 'Environment', 'Config']


@pytest.fixture(scope='module')
def work(call_in, digits, tmp_path_factory):
    """The work directory of a training of one epoch and a test."""
    folder = tmp_path_factory.mktemp('run')
    trained = call_in(folder, 'train.py', DETECTOR, '--work-dir', folder / 'work', *short_run(digits, True, 1))
    assert trained.returncode == 0, trained.stderr
    tested = call_in(folder, 'test.py', DETECTOR, folder / 'work/epoch_1.pth', '--work-dir', folder / 'work',
                     '--cfg-options', *data_options(digits, True))
    assert tested.returncode == 0, tested.stderr
    return folder / 'work'


@pytest.fixture(scope='module')
def report(call_in, work):
    finished = call_in(work.parent, 'report.py', work, '--out', 'sent/report.html', '--images', 2)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == 'sent/report.html'
    return work.parent / 'sent/report.html'


@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium: apt-get install chromium')
@pytest.mark.parametrize(('width', 'scheme'), [(1280, 'light'), (390, 'dark')])
def test_report_opens_in_a_browser(width, scheme, report):
    wrong, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        page = browser.new_page(viewport=dict(width=width, height=900), color_scheme=scheme)
        page.on('console', lambda message: wrong.append(message.text))
        page.on('pageerror', lambda error: wrong.append(str(error)))
        page.on('request', lambda request: asked.append(request.url))
        page.goto(report.as_uri(), wait_until='networkidle')
        assert page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')
        assert page.locator('h1').inner_text() == 'work'
        assert page.locator('h2').all_inner_texts() == HEADINGS
        levels = page.evaluate('[...document.querySelectorAll("h1, h2, h3")].map(e => Number(e.tagName[1]))')
        assert all(level <= before + 1 for before, level in pairwise(levels))
        pictures = page.evaluate('[...document.images].map(e => [e.naturalWidth, e.alt])')
        assert len(pictures) == 2 * (2 + 4), 'truth, prediction and a map a stage of two images'
        assert all(size > 0 and words for size, words in pictures)
        charts = page.evaluate('[...document.querySelectorAll("svg")].map(e => [e.getBoundingClientRect().width, '
                               'e.getAttribute("aria-label").length])')
        assert len(charts) == 9, 'losses, learning rate, gradient; three spreads, gate, temperature, gradient'
        assert all(100 < size <= width and words > 20 for size, words in charts)
        ids = page.evaluate('[...document.querySelectorAll("section, nav")].map(e => e.id)')
        assert len(ids) == len(set(ids))
        assert page.evaluate('[...document.querySelectorAll("nav a")].every(e => document.querySelector('
                             'e.getAttribute("href")))')
        ink, paper = page.evaluate('(s => [s.color, s.backgroundColor].map(c => Number(c.match(/\\d+/)[0])))('
                                   'getComputedStyle(document.body))')
        assert (ink > paper) == (scheme == 'dark')
        browser.close()
    assert wrong == []
    assert asked == [report.as_uri()], 'the file and nothing else'


def test_report_is_of_this_run_and_tells_nothing_of_the_machine(report, work):
    page = report.read_text()
    assert 'epoch_1.pth' in page
    assert 'coco/bbox_mAP in the last test' in page
    assert 'of 1 epochs; 4 iterations logged' in page
    assert 'LogAttention' in page, "the training's config and not the test's"
    assert str(work.parent) not in page
    assert 'http://' not in page.replace('http://www.w3.org/', '')


@pytest.mark.parametrize(('directory', 'words'), [('none', ['work directory none does not exist', 'work_dirs/']),
                                                  ('.', ['no log of a training', 'TIMESTAMP/vis_data/scalars.json'])])
def test_bad_work_directory_is_one_line_and_writes_nothing(directory, words, call_here, tmp_path):
    assert_one_line(call_here('report.py', directory), *words)
    assert list(tmp_path.iterdir()) == []
