"""README, docs and scripts lead somewhere: every relative link, anchor and picture, every command's file."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


def without_code(page):
    return re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)


def anchors(page):
    """Those that GitHub gives the headings."""
    titles = re.findall(r'^#+ (.*)$', without_code(page), flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)\s]+)\)', without_code(page))
    for link in links:
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('page', [*PAGES, ROOT / 'Makefile', *sorted((ROOT / 'tools').glob('*.sh'))],
                         ids=lambda page: page.name)
def test_files_of_commands_are_there(page):
    named = re.findall(r'(?<![\w/.])(?:tools|benchmarks|configs)/[\w/]+\.(?:py|sh)', page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_page_can_be_reached_from_readme():
    linked = {link.partition('#')[0] for link in re.findall(r'\]\((docs/[^)\s]+)\)', PAGES[0].read_text())}
    assert linked >= {f'docs/{page.name}' for page in PAGES[1:]}
