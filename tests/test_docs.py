"""All links, anchors, pictures, files, tests and make targets that README, docs and scripts name exist.

So does every docs page that a comment, a docstring or a message names.
"""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / 'README.md'
PAGES = [*sorted(ROOT.glob('*.md')), *sorted((ROOT / 'docs').glob('*.md'))]
SCRIPTS = [ROOT / 'Makefile', *sorted((ROOT / 'tools').glob('*.sh'))]
TEMPLATE = ROOT / 'benchmarks/study_page.md.template'
"""Template of docs/study.md; its links are relative to docs."""


def without_code(page):
    return re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)


def anchors(page):
    """Return the anchors that GitHub generates for the headings."""
    titles = re.findall(r'^#+ (.*)$', without_code(page), flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('page', [*PAGES, TEMPLATE], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    folder = ROOT / 'docs' if page == TEMPLATE else page.parent
    links = re.findall(r'\]\(([^)\s]+)\)', without_code(page))
    for link in links:
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = (folder / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('page', [*PAGES, *SCRIPTS], ids=lambda page: page.name)
def test_files_of_commands_are_there(page):
    text = page.read_text()
    named = [*re.findall(r'(?<![\w/.])(?:tools|benchmarks|configs|requirements)/[\w/]+\.(?:py|sh|txt)', text),
             *re.findall(r'(?<![\w/.])tests/[\w/]+(?:\.py)?', text)]
    assert [name for name in named if 'FILE' not in name and not (ROOT / name).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_make_has_the_targets_of_commands(page):
    targets = re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    assert {*re.findall(r'(?:`|^|&& )make ([a-z-]+)', page.read_text(), re.MULTILINE)} <= {*targets}


@pytest.mark.parametrize('folder', ['benchmarks', 'configs', 'dmsca_mm', 'tests', 'tools'])
def test_pages_that_files_name_are_there(folder):
    texts = [path.read_text() for path in (ROOT / folder).rglob('*') if path.suffix in ('.py', '.sh', '.h', '.cpp')]
    named = {page for text in texts for page in re.findall(r'docs/\w+\.md', text)}
    assert [page for page in sorted(named) if not (ROOT / page).exists()] == []


def test_every_page_can_be_reached_from_readme():
    linked = {link.partition('#')[0] for link in re.findall(r'\]\(([^)\s]+)\)', README.read_text())}
    assert linked >= {str(page.relative_to(ROOT)) for page in PAGES} - {README.name}


def test_network_with_the_plugin_gives_what_the_plain_one_gives_as_finetuning_shows(untrained, capsys):
    config, weights = untrained('detector', plugin='none')
    code, = re.findall(r'```python\n(.*?)```', (ROOT / 'docs/finetuning.md').read_text(), re.DOTALL)
    exec(code.replace("'CONFIG'", repr(config)).replace("'plain.pth'", repr(weights)), {})
    assert capsys.readouterr().out.splitlines()[-1] == 'True'
