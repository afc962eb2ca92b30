"""Progress on terminals of 20 to 200 columns, compared with sessions that people have looked at.

After a change of what commands print, write the sessions anew, look at them and commit them:
``DPID_WRITE_SESSIONS=1 python -m pytest tests/cli/test_terminal.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import process
from support.folders import make
from support.terminal import RUN, STEADY, session

KEPT = Path(__file__).with_name("sessions")
INPUTS = [f"in/{k:02}.png" for k in range(12)]
BATCH = ["batch", *INPUTS, "out", "-s", "4", "-j", "1"]
DOWNSCALE = ["downscale", *INPUTS[:5], "-s", "4", "-o", "out/"]
# A kernel is compiled while the third image is converted.
COMPILING = """
from dpid_cli.cli.console import announce
steady = progress.Progress.add
def compiling(self, *words, **options):
    if self.statuses.total() == 2:
        announce("16-bit RGB", 0.0)
        announce("16-bit RGB", 3.0)
        announce("16-bit RGB", None)
    return steady(self, *words, **options)
progress.Progress.add = compiling
"""
WARMUP = """
from dpid_cli.downscaling.warmup import Case
Case.compile = lambda self: None
"""
# Every step takes a second.
STEPS = """
def step(self, *words):
    now[0] += 1
    update(self, *words)
progress.Bar.update = step
"""


@pytest.fixture
def inputs(folder: Path) -> Path:
    """Twelve images of 2 megapixels, the fourth of them broken."""
    content = make(INPUTS[0], (1600, 1250)).read_bytes()
    for name in INPUTS[1:]:
        Path(name).write_bytes(content)
    Path(INPUTS[3]).write_bytes(b"no image")
    return folder


def check(name: str, screens: list[str]) -> None:
    """Compare screens with those that are kept, or keep them."""
    columns = max(map(len, "\n".join(screens).splitlines()))
    text = f"\n{'-' * columns}\n".join(screens) + "\n"
    path = KEPT / f"{name}.txt"
    if "DPID_WRITE_SESSIONS" in os.environ:
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("columns", [20, 44, 80, 200])
def test_batch(inputs, columns):
    done = session(*BATCH, "--report", "r.jsonl", columns=columns, before=COMPILING)
    assert done.code == 1 and b"\x1b" not in done.written
    check(f"batch-{columns}", done.screens)


@pytest.mark.parametrize("variables", [{"term": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_dumb_terminals_and_those_without_colour_show_the_same(inputs, variables):
    done = session(*BATCH, "--report", "r.jsonl", columns=44, before=COMPILING, **variables)
    assert b"\x1b" not in done.written
    check("batch-44", done.screens)


def test_no_terminal(inputs):
    done = subprocess.run([sys.executable, "-c", STEADY + RUN, *BATCH], capture_output=True, text=True)
    assert "\r" not in done.stderr
    check("batch-no-terminal", [done.stderr + done.stdout])


@pytest.mark.parametrize("columns", [20, 44, 80, 200])
def test_downscale_shows_the_same_bar(inputs, columns):
    Path("out").mkdir()
    done = session(*DOWNSCALE, columns=columns)
    assert done.code == 1 and b"\x1b" not in done.written
    check(f"downscale-{columns}", done.screens)


def test_one_image_needs_no_bar(inputs):
    Path("out").mkdir()
    done = session("downscale", INPUTS[0], "-s", "4", "-o", "out/", columns=80)
    assert done.screens == ["out/00_dpid_x4.png"]


def test_quiet_shows_nothing(inputs):
    Path("out").mkdir()
    done = session(*DOWNSCALE, "-q", columns=80)
    assert len(done.screens) == 1 and done.screens[0].startswith(f"{INPUTS[3]}: not an image")


@pytest.mark.parametrize("columns", [44, 80])
def test_warmup(folder, columns):
    done = session("warmup", "-m", "lp", "-j", "1", columns=columns, before=WARMUP + STEPS)
    bars = [screen for screen in done.screens if "%" in screen]
    assert len(bars) > 2 and all(len(bar) < columns for bar in bars)
    assert all("compiled 0" in bar for bar in bars[1:])
    assert "%" not in done.screens[-1] and "kernel cache" in done.screens[-1]


def test_learn(folder):
    for name in "a.png", "b.png":
        make(name, (96, 96))
    words = ["learn", "a.png", "b.png", "-s", "2", "--patch", "48", "--iterations", "3", "-o", "f.json"]
    done = session(*words, columns=60, before=STEPS)
    assert done.code == 0
    bars = [screen.splitlines()[-1] for screen in done.screens if "loss 0." in screen.splitlines()[-1]]
    assert [re.search(r"\d/3", bar)[0] for bar in bars] == ["1/3", "2/3", "3/3"]
    assert "%" not in done.screens[-1] and b"\x1b" not in done.written


@pytest.mark.parametrize("columns", [44, 100])
def test_notice_of_a_compilation_without_a_bar(folder, columns):
    """It counts seconds where there is room for that, and stays whole elsewhere."""
    before = """
from dpid_cli.cli.console import announce
for seconds in (0.0, 1.0, 2.0, None):
    announce("8-bit RGB", seconds)
sys.exit(0)
"""
    done = session("info", columns=columns, before=before)
    text = "dpid: compiling for 8-bit RGB images (about 10 s, once per kind)"
    shown = "".join(line.ljust(columns) for line in done.screens[-1].splitlines()).rstrip()
    assert shown == (f"{text}: 2 s" if columns == 100 else text)
    assert b"\x1b" not in done.written


def test_report_is_named_in_the_summary(inputs):
    done = process("batch", *INPUTS[:2], "out", "-s", "4", "--report", "r.jsonl")
    assert done.stdout.endswith(b", report r.jsonl\n")
