"""Write the page that downscales one's own images in a browser, and the scripts of its engine."""

from __future__ import annotations

from pathlib import Path
from string import Template

from dpid_cli.compare.documents import SUFFIXES, asset, policy
from dpid_cli.errors import ArgumentError
from dpid_cli.files.output import atomic, check_target
from dpid_cli.files.storage import check_local
from dpid_cli.version import __version__

# The parts of the worker, each after those that it uses: downscaling, files, and messages.
_ENGINE = (
    "single", "grid", "sums", "filters", "weights", "quick", "order", "alpha", "automatic", "layout", "task",
    "png", "pngread", "canvas", "open", "helpers", "serve",
)  # fmt: skip
_SHARED = ("worker.js", "screen.js", "download.js", "shell.js")  # with pages of comparisons
_PAGE = ("state", "settings", "pixels", "view", "files", "hands")  # the parts of the page's own script


def engine() -> str:
    """The script of the worker that downscales; it uses nothing of a page.

    >>> "function downscale" in engine()
    True
    """
    return "\n".join(asset(f"engine/{name}.js") for name in _ENGINE)


def page(theme: str = "auto") -> str:
    """The page, which opens in `theme`: auto, light or dark."""
    css = asset("page.css") + asset("workbench/page.css")
    js = "\n".join(map(asset, [*_SHARED, *(f"workbench/{name}.js" for name in _PAGE)]))
    return Template(asset("workbench/page.html")).substitute(
        theme=theme, policy=policy(css, js), css=css, js=js, engine=engine(), version=__version__
    )


def write_page(path: str, theme: str, overwrite: bool) -> None:
    """Write the page; raise a `DpidError` if that cannot be done."""
    check_local("--page", path)
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"--page: {path} has no suffix of a page: use a name like dpid.html")
    check_target(target, [], [], overwrite)
    with atomic(target, overwrite) as stream:
        stream.write(page(theme).encode())
