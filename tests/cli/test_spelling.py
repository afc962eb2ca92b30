"""What people type, right and wrong, and the exact line that each of it gives: the table of spellings.txt."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.downscaling.registry import METHODS
from dpid_cli.pictures.formats import WRITTEN
from dpid_cli.version import __version__
from support.command import is_one_error_line, listing, pixels

# Every line that begins with "$ dpid" is followed by what that prints. For outputs, the size follows.
TABLE = re.findall(
    r"^\$ dpid ?(.*)\n(.*)$", Path(__file__).with_name("spellings.txt").read_text(), re.MULTILINE
)
LISTS = {
    "{methods}": "{}, {} or {}".format(", ".join([*METHODS][:-2]), [*METHODS][-2], [*METHODS][-1]),
    "{formats}": "{} or {}".format(", ".join([*WRITTEN][:-1]), [*WRITTEN][-1]),
}
NO_FILE = ("no file matches", "no such file", "is a folder", "there is no folder")  # ends with code 1


@pytest.fixture
def desk(folder: Path) -> Path:
    """The current folder: a photo of 80x60 pixels, a folder with another, and an empty folder."""
    noise = np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)
    for name in "photo.png", "my photo.png", "photos/a.png":
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(noise).save(name)
    Path("empty").mkdir()
    return folder


def test_the_table_is_whole():
    words = [typed for typed, _ in TABLE]
    assert len(words) == len(set(words)) >= 80


@pytest.mark.parametrize(("words", "line"), TABLE)
def test_line(dpid, desk, words, line):
    before = listing(desk)
    result = dpid(*shlex.split(words))
    if (right := re.fullmatch(r"(\S+)  \((\d+)x(\d+)\)", line)) is not None:
        assert (result.exit_code, result.stdout, result.stderr) == (0, right[1] + "\n", "")
        assert pixels(right[1]).shape[1::-1] == (int(right[2]), int(right[3]))
        return
    for name, content in LISTS.items():
        line = line.replace(name, content)
    if result.exit_code == 0:
        assert re.sub(r", in .*", "", result.stdout) == line + "\n"
        return
    wrong_file = any(part in line for part in NO_FILE) and not words.startswith("batch")
    assert (result.exit_code, result.stdout, result.stderr) == (1 if wrong_file else 2, "", line + "\n")
    assert is_one_error_line(result.stderr)
    assert listing(desk) == before


@pytest.mark.parametrize("word", ["photo.png", "photos"])
def test_the_command_to_type_works(dpid, desk, word):
    line = dpid(word).stderr.rpartition(": type: dpid ")[2].replace("OUTPUT_DIR", "small")
    assert dpid(*line.split()).exit_code == 0


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(dpid, option):
    assert dpid(option).stdout == f"dpid, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ("-V", 0, f"dpid, version {__version__}\n", ""),
        ("downscale photo.png -s 4 -o small.png", 0, "small.png\n", ""),
        ("downscael", 2, "", "python -m dpid_cli: there is no command downscael: did you mean downscale?\n"),
        (
            "photo.png",
            2,
            "",
            "python -m dpid_cli: photo.png is not a command: "
            "type: python -m dpid_cli downscale photo.png -s 4\n",
        ),
    ],
)
def test_as_a_module(desk, words, code, out, err):
    done = subprocess.run([sys.executable, "-m", "dpid_cli", *words.split()], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
