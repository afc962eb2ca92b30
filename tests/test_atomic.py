"""Writes that are whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import is_one_error_line, listing
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.output import atomic


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (OSError("encoder error -2"), 1, "cannot be encoded"),
        (ValueError("odd"), 1, "cannot be encoded"),
        (RuntimeError("odd"), 1, "cannot be encoded"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space left"),
        (MemoryError(), 1, ""),
        (KeyboardInterrupt(), 130, None),
    ],
)
@pytest.mark.parametrize("target", ["old.png", "new.png"])
def test_failed_encoding_leaves_everything_as_it_was(dpid, photo, monkeypatch, error, code, told, target):
    Path("old.png").write_bytes(b"old")
    before = listing(photo.parent)

    def save(self, stream, *_, **__):
        stream.write(b"half of it")
        raise error

    monkeypatch.setattr(Image.Image, "save", save)
    result = dpid("downscale", "photo.png", "-s", "2", "-o", target, "--overwrite")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.strip() == "" if told is None else is_one_error_line(result.stderr)
    assert (told or "") in result.stderr
    assert listing(photo.parent) == before


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_permissions(dpid, photo, mask):
    Path("old.png").touch()
    Path("old.png").chmod(0o604)
    previous = os.umask(mask)
    try:
        for name in "old.png", "new.png":
            assert dpid("downscale", "photo.png", "-s", "4", "-o", name, "--overwrite").exit_code == 0
    finally:
        assert os.umask(previous) == mask  # and the command has not changed it
    assert stat.S_IMODE(Path("new.png").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(Path("old.png").stat().st_mode) == 0o604


def test_target_that_appears_meanwhile_is_not_lost(folder):
    with pytest.raises(FileError, match="exists already"), atomic(Path("a"), overwrite=False) as stream:
        stream.write(b"mine")
        Path("a").write_bytes(b"theirs")
    assert listing(folder) == {"a": b"theirs"}


def test_leftovers_of_a_killed_run_are_used_up(folder):
    with pytest.raises(KeyError), atomic(Path("a"), overwrite=False) as stream:
        stream.write(b"half of it")
        (name,) = listing(folder)
        os.link(name, "kept")
        raise KeyError
    Path("kept").rename(name)
    with atomic(Path("a"), overwrite=False) as stream:
        stream.write(b"whole")
    assert listing(folder) == {"a": b"whole"}
    os.link("a", name)  # killed between the two steps of putting it in place
    with atomic(Path("a"), overwrite=True) as stream:
        assert Path("a").read_bytes() == b"whole"
        stream.write(b"new")
    assert listing(folder) == {"a": b"new"}


def test_two_writers_of_one_file(folder):
    with atomic(Path("a"), overwrite=True) as first:
        first.write(b"first")
        with pytest.raises(FileError, match="another process is writing"), atomic(Path("a"), overwrite=True):
            pass
        with atomic(Path("b"), overwrite=True) as other:
            other.write(b"b")
    assert listing(folder) == {"a": b"first", "b": b"b"}


def test_nothing_is_seen_before_the_end(folder):
    Path("a").write_bytes(b"old")
    with atomic(Path("a"), overwrite=True) as stream:
        stream.write(b"new")
        stream.flush()
        assert Path("a").read_bytes() == b"old"
        assert len(listing(folder)) == 2  # the other is on the same disk, so that renaming is all
    assert listing(folder) == {"a": b"new"}


WRITER = """
import io, sys
from pathlib import Path
import numpy as np
from dpid_cli.pictures import FORMATS, Picture, write
from dpid_cli.output import atomic

noise = np.random.default_rng(1).integers(0, 256, (2, 150, 200, 3), np.uint8)
pictures = [Picture(pixels, False, None, "bmp") for pixels in noise]
for name, picture in zip(sys.argv[2:], pictures):
    with open(name, "wb") as stream:
        write(picture, stream, FORMATS["bmp"], name)
print("ready", flush=True)
while True:
    for picture in pictures:
        with atomic(Path(sys.argv[1]), True) as stream:
            write(picture, stream, FORMATS["bmp"], "target")
"""


def test_killed_at_any_moment_leaves_the_old_or_the_new_file(folder):
    wait = random.Random(5)
    Path("target").write_bytes(b"old")
    for _ in range(15):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, "target", "a", "b"], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(wait.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        assert writer.returncode == -signal.SIGKILL
        whole = b"old", Path("a").read_bytes(), Path("b").read_bytes()
        assert Path("target").read_bytes() in whole
