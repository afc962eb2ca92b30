"""Times and permissions that outputs take over from their inputs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import dpid_cli
from support.command import is_one_error_line
from support.folders import make

LONG_AGO = 1_000_000_000_123_456_789


@pytest.fixture
def old(folder: Path) -> Path:
    """An image of long ago that others may not read."""
    path = make("in/a.png", (40, 30))
    os.utime(path, ns=(LONG_AGO + 7, LONG_AGO))
    path.chmod(0o640)
    return path


def attributes(path: str) -> tuple[bool, int]:
    """Whether a file is of long ago, and its permissions."""
    status = Path(path).stat()
    return status.st_mtime_ns == LONG_AGO, stat.S_IMODE(status.st_mode)


@pytest.mark.parametrize(
    ("words", "is_old", "mode"),
    [
        ("", False, None),
        ("--preserve times", True, None),
        ("--preserve mode", False, 0o640),
        ("--preserve times,mode", True, 0o640),
        ("--preserve MODE,Times", True, 0o640),
    ],
)
def test_both_commands(dpid, old, words, is_old, mode):
    plain = 0o666 & ~umask()
    for command, output in (("downscale", "-o"), "small/a.png"), (("batch",), "small2/a.png"):
        where = [output] if command[-1] == "-o" else ["small2"]
        Path("small").mkdir(exist_ok=True)
        given = [command[0], "in/a.png", *command[1:], *where, "-s", "2", *words.split()]
        assert dpid(*given).exit_code == 0
        assert attributes(output) == (is_old, plain if mode is None else mode)


def umask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_library(old):
    words = {"scale": 2, "overwrite": True}
    list(dpid_cli.batch([(old, "a.png")], **words, preserve=["times", "mode"]))
    assert attributes("a.png") == (True, 0o640)
    list(dpid_cli.batch([(old, "a.png")], **words, preserve=["times"]))
    assert attributes("a.png") == (True, 0o640)  # those of the file that was replaced
    for wrong in "times", ["size"], [3]:
        with pytest.raises(dpid_cli.ArgumentError, match="preserve must be"):
            dpid_cli.batch([(old, "b.png")], **words, preserve=wrong)


def test_copies_keep_their_time(dpid, old):
    """Byte for byte; what is encoded anew does not."""
    words = ("--width", "100", "--if-smaller", "copy")
    assert dpid("batch", "in", "out", *words).exit_code == 0
    assert Path("out/a.png").read_bytes() == old.read_bytes()
    assert attributes("out/a.png") == (True, 0o666 & ~umask())
    assert dpid("downscale", "in/a.png", *words, "-o", "copy.png").exit_code == 0
    assert attributes("copy.png")[0]
    assert dpid("batch", "in", "new", *words, "--format", "webp").exit_code == 0
    assert not attributes("new/a.webp")[0]
    assert dpid("batch", "in", "lr", "-s", "2", "--hr", "hr").exit_code == 0
    assert attributes("hr/a.png")[0] and not attributes("lr/a.png")[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("downscale in/a.png -s 2 --preserve size", "must be times, mode or times,mode (got size)"),
        ("downscale in/a.png -s 2 --preserve times, ", "must be times, mode or times,mode"),
        ("downscale - -s 2 -o a.png --preserve times", "standard input and output are no files"),
        ("downscale in/a.png -s 2 -o - --preserve mode", "standard input and output are no files"),
        ("batch in s3://bucket/x -s 2 --preserve times", "addresses have no times"),
    ],
)
def test_what_has_none(dpid, old, words, told):
    result = dpid(*words.split())
    assert result.exit_code == 2 and told in result.stderr and is_one_error_line(result.stderr)
