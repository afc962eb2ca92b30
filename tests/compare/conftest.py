"""Fixtures: a browser, and the page of a comparison in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support import chromium
from support.command import invoke

SCALE = 4


@pytest.fixture(scope="session")
def source() -> np.ndarray:
    """An image in which neighbouring pixels differ."""
    return np.random.default_rng(7).integers(0, 256, (160, 240, 3), np.uint8)


@pytest.fixture(scope="session")
def written(tmp_path_factory, source) -> Path:
    """The page of a noisy image, downscaled four times."""
    folder = tmp_path_factory.mktemp("page")
    Image.fromarray(source).save(folder / "photo.png")
    words = ("-m", "box", "-m", "dpid", "-m", "max", "--sweep", "lambda=0:1:0.5", "--closeup", "40,40,80,80")
    target = folder / "page.html"
    done = invoke("compare", str(folder / "photo.png"), "-s", str(SCALE), *words, "-o", str(target))
    assert done.exit_code == 0 and done.stderr.count("\n") == 1  # its size
    return target


@pytest.fixture(scope="session")
def results(source) -> dict[str, np.ndarray]:
    """The outputs of the library, by the labels of the page."""
    made = {"box": {"method": "box"}, "max": {"method": "max"}}
    made |= {f"dpid, λ = {value}": {"lambda_": float(value)} for value in ("0", "0.5", "1")}
    return {label: dpid_cli.downscale(source, scale=SCALE, **options) for label, options in made.items()}


@pytest.fixture
def paged(dpid, tmp_path) -> Callable[..., Path]:
    """Write the page of an image, with these options."""

    def write(pixels: np.ndarray, words: str, name: str = "photo") -> Path:
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", compress_level=1)
        target = tmp_path / f"{name}.html"
        result = dpid("compare", str(tmp_path / f"{name}.png"), *words.split(), "-o", str(target))
        assert result.exit_code == 0, result.stderr
        return target

    return write


@pytest.fixture
def opened(browser):
    """Open a page until it is ready; it must not print to the console or use the network."""
    with ExitStack() as pages:

        def open_(path: Path, address: str = "", **options):
            page = pages.enter_context(chromium.opened(browser, path.as_uri() + address, **options))
            page.wait_for_selector("html[data-ready]")
            return page

        yield open_


@pytest.fixture
def page(opened, written, request):
    """The page of `written`, ready; a parameter gives options of the browser's context."""
    return opened(written, **getattr(request, "param", {}))
