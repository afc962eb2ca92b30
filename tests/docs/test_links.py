"""Links between pages lead to files and headings that exist."""

from __future__ import annotations

import pytest

from support.command import ROOT
from support.pages import PAGES, anchors, links

README_LINES = 150


def linked():
    return [(page, link) for page, text in PAGES.items() for link in links(text) if "://" not in link]


def test_links_are_found():
    assert {page for page, _ in linked()} >= {"README.md", "docs/methods.md", "docs/architecture.md"}


@pytest.mark.parametrize(("page", "link"), linked())
def test_link(page, link):
    path, _, fragment = link.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.exists()
    if fragment:
        assert fragment in anchors(file.read_text(encoding="utf-8"))


def test_every_page_of_docs_is_linked_from_the_readme():
    found = {link.partition("#")[0] for link in links(PAGES["README.md"])}
    assert {page for page in PAGES if page.startswith("docs/")} <= found


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= README_LINES
