"""The command in this process and as its own, and pictures to run it on."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

DPID = Path(sys.executable).with_name("dpid")


def process(*args: str | bytes, **options) -> subprocess.CompletedProcess[bytes]:
    """Run the installed command as people run it."""
    return subprocess.run([DPID, *args], **{"capture_output": True, "timeout": 120} | options)


def listing(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden files too: relative path to content (None for a directory)."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def pixels(path: Path | str) -> np.ndarray:
    """What Pillow reads."""
    with Image.open(path) as image:
        return np.array(image)


def places(sheet: np.ndarray, panel: np.ndarray) -> list[tuple[int, int]]:
    """Where a panel stands in a picture, pixel for pixel."""
    height, width = panel.shape[:2]
    corners = np.argwhere((sheet[: -height + 1, : -width + 1] == panel[0, 0]).all(axis=2))
    return [(x, y) for y, x in corners if np.array_equal(sheet[y : y + height, x : x + width], panel)]


def is_one_error_line(text: str) -> bool:
    """Whether it is a single line of the form ``what: what is wrong: what to do``."""
    return text.count("\n") == 1 and text.endswith("\n") and len(text.strip().split(": ")) >= 3


@pytest.fixture
def noise() -> np.ndarray:
    """60 x 40 pixels of colour in which no two neighbours are alike."""
    return np.random.default_rng(7).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder: Path, noise: np.ndarray) -> Path:
    """``photo.png`` in the current directory, 60 x 40."""
    Image.fromarray(noise).save("photo.png")
    return folder / "photo.png"


@pytest.fixture
def dpid(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in this process, without the lines that a batch prints while kernels are compiled."""
    from dpid_cli.cli import main

    monkeypatch.setattr("dpid_cli.cli.progress._LINE_SECONDS", math.inf)

    def run(*args: str, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(main, args, input=stdin, prog_name="dpid")
        assert "Traceback" not in result.stderr
        return result

    return run
