"""Fixtures: the command in this process, and images to run it on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from support.chromium import launched
from support.command import invoke


@pytest.fixture
def noise() -> np.ndarray:
    """60 x 40 pixels of random colours."""
    return np.random.default_rng(7).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder: Path, noise: np.ndarray) -> Path:
    """``photo.png`` in the current folder, 60 x 40."""
    Image.fromarray(noise).save("photo.png")
    return folder / "photo.png"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; one for all tests, as Playwright takes one in a process."""
    with launched() as running:
        yield running


@pytest.fixture
def dpid(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in this process, without the lines about kernels that are compiled meanwhile."""
    monkeypatch.setattr("dpid_cli.cli.progress.LINE_SECONDS", math.inf)
    monkeypatch.setattr("dpid_cli.kernels.jit.report_to", lambda listener: None)
    monkeypatch.setattr("dpid_cli.kernels.jit._listener", None)  # that of a test before

    def run(*args: str, stdin: bytes | None = None) -> Result:
        result = invoke(*args, stdin=stdin)
        assert "Traceback" not in result.stderr
        return result

    return run
