"""The command as its own process, and what it wrote."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
DPID = Path(sys.executable).with_name("dpid")


def process(*args: str | bytes, **options) -> subprocess.CompletedProcess[bytes]:
    """Run the installed command as people run it."""
    return subprocess.run([DPID, *args], **{"capture_output": True, "timeout": 120} | options)


def invoke(*args: str, stdin: bytes | None = None) -> Result:
    """Run the command in this process; Click before 8.2 mixes the two outputs unless it is told not to."""
    from dpid_cli.cli import main

    mixes = "mix_stderr" in inspect.signature(CliRunner).parameters
    return CliRunner(**{"mix_stderr": False} if mixes else {}).invoke(
        main, args, input=stdin, prog_name="dpid"
    )


def default_signals() -> None:
    """For `preexec_fn`: hear signals that whoever runs the tests ignores, as nohup and background jobs do."""
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)


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
    """Whether it is one line: ``what: what is wrong: what to do``, or ``what must be this (got that)``."""
    told = len(text.strip().split(": ")) >= 3 or (" must " in text and "(got " in text)
    return text.count("\n") == 1 and text.endswith("\n") and told
