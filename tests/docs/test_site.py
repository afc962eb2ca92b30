"""The documentation as a site: built without warnings, whole, and without a request to another host."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import dpid_cli
from support.command import ROOT
from support.pages import PAGES
from support.servers import free_port, server

TOOLS = ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme", "sphinx_copybutton")
pytestmark = pytest.mark.skipif(
    not all(map(find_spec, TOOLS)), reason="needs what builds the site: pip install 'dpid-cli[docs]'"
)


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                (self.links if tag == "a" else self.loaded).append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "trees"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder / "html"], capture_output=True, text=True, cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def names_of_layers() -> list[str]:
    """`dpid_cli.torch.__all__`, which can be read without PyTorch."""
    tree = ast.parse((ROOT / "dpid_cli/torch/__init__.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    return ast.literal_eval(value)


def test_site_is_whole(site):
    paths = {
        path for path in site.rglob("*.html") if "_static" not in path.parts and path.name != "live.html"
    }
    pages = {path.relative_to(site): Page(path) for path in paths}
    assert {f"{Path(name).stem}.html" for name in PAGES if name.startswith("docs/")} <= set(map(str, pages))
    assert {f"dpid_cli.{name}" for name in dpid_cli.__all__} <= pages[Path("reference/library.html")].anchors
    layers = {f"dpid_cli.torch.{name}" for name in names_of_layers()}
    assert layers <= pages[Path("reference/torch.html")].anchors
    navigation = {link.partition("#")[0] for link in pages[Path("index.html")].links}
    assert {str(path) for path in pages} - {"index.html", "search.html", "genindex.html"} <= navigation

    count, broken = 0, []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            count += 1
            target = (site / path.parent / unquote(parts.path)).resolve() if parts.path else site / path
            if not target.is_file():
                broken.append((str(path), link))
            elif parts.fragment and target.suffix == ".html" and target.name != "live.html":
                anchors = pages[target.relative_to(site)].anchors
                broken += [] if unquote(parts.fragment) in anchors else [(str(path), link)]
    assert broken == [] and count > 1000


def test_site_loads_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert [link for link in Page(path).loaded if urlsplit(link).scheme not in ("", "data")] == []
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", text) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_site_in_a_browser(browser, site, width):
    """No page is wider than the screen, says an error, or asks another host; searches find, offline too."""
    port = free_port()
    words = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(site), str(port)]
    address, said = f"http://127.0.0.1:{port}/", []
    with server(words, port), browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: said.append(asked.url))
        for name in ("index", "commands", "methods", "reference/library"):
            page.goto(f"{address}{name}.html")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        page.goto(f"{address}search.html?q=lambda")
        page.wait_for_selector("#search-results li a")
        assert [line for line in said if not line.startswith((address, "data:"))] == []
        page.goto((site / "search.html").as_uri() + "?q=lambda")
        page.wait_for_selector("#search-results li a")
