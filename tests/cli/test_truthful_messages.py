"""What the command says of empty files, deleted folders, closed pipes, addresses and strange names."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from support.command import DPID, is_one_error_line, listing, process


@pytest.fixture(autouse=True)
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("a.png")
    return tmp_path


def shell(code: str, *words, **options) -> subprocess.CompletedProcess[bytes]:
    words = ["bash", "-c", code, "bash", *map(str, words)]
    return subprocess.run(words, capture_output=True, timeout=120, check=False, **options)


def says(done, *parts: str) -> bool:
    text = done.stderr.decode()
    return is_one_error_line(text) and all(part in text for part in parts) and "internal" not in text


@pytest.mark.parametrize("name", ["e.png", "e.tif", "e.jpg", "-"])
def test_empty_files(name, photo):
    (photo / name).touch()
    done = process("downscale", name, "-s", "2", "-m", "box", "-o", "out.png", stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and says(done, "is empty", "standard input" if name == "-" else name)


def test_an_empty_filter(photo):
    (photo / "f.json").touch()
    done = process("downscale", "a.png", "-s", "2", "--guidance", "./f.json")
    assert done.returncode == 2 and says(done, "f.json", "is empty")


@pytest.mark.parametrize(
    "words", [["downscale", "a.png"], ["compare", "a.png"], ["learn", "a.png", "-o", "x.json"]]
)
def test_a_current_folder_that_is_gone(words):
    code = 'mkdir gone && cd gone && rmdir ../gone && exec "$@" -s 2'
    done = shell(code, DPID, *words)
    assert done.returncode == 1 and says(done, "the current folder has been deleted")


def test_a_gone_folder_does_not_matter_to_whole_paths(photo):
    code = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = shell(code, DPID, "downscale", photo / "a.png", "-s", 2, "-m", "box", "-o", photo / "b.png")
    assert (done.returncode, done.stderr) == (0, b"")
    assert shell(code, DPID, "methods").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["downscale", "s3://bucket/a.png"],
        ["downscale", "a.png", "-o", "s3://bucket/"],
        ["compare", "s3://bucket/a.png"],
        ["compare", "a.png", "--csv", "gs://bucket/a.csv"],
        ["learn", "s3://bucket/a.png", "-o", "x.json"],
        ["learn", "a.png", "-o", "s3://bucket/x.json"],
    ],
)
def test_addresses(words, photo):
    done = process(*words, "-s", "2")
    assert done.returncode == 2 and says(done, "://bucket/", "is an address", "use dpid batch")
    assert set(listing(photo)) == {"a.png"}


@pytest.mark.parametrize(
    "words",
    [
        ["downscale", "a.png", "-o", "missing/x.png"],
        ["compare", "a.png", "-o", "missing/x.png"],
        ["compare", "a.png", "--csv", "missing/x.csv"],
        ["learn", "a.png", "--iterations", "100000", "-o", "missing/x.json"],
    ],
)
def test_a_missing_folder_is_found_first(words, photo):
    done = process(*words, "-s", "2", timeout=20)
    assert done.returncode == 1 and says(done, "there is no folder missing", "create it first")
    assert set(listing(photo)) == {"a.png"}


def test_frames_of_a_format_of_which_one_is_read(photo):
    with Image.open("a.png") as image:
        image.save("two.mpo", save_all=True, append_images=[image.rotate(90)])
    done = process("downscale", "two.mpo", "-s", "2", "--frame", "1", "-o", "x.png")
    assert done.returncode == 1 and says(done, "there is no frame 1", "only the first image is read")


@pytest.mark.parametrize(
    "words",
    [
        ["methods"],
        ["info"],
        ["--help"],
        ["downscale", "a.png", "-s", "2", "-m", "box"],
        ["downscale", "-", "-s", "2"],
    ],
)
def test_closed_pipes(words):
    """The command starts to write after the reader has ended."""
    code = '(sleep 0.3; exec "$@" < a.png) | true; echo ${PIPESTATUS[0]}'
    done = shell(code, DPID, *words)
    assert (done.stdout, done.stderr) == (b"141\n", b"")


def test_the_first_line_only():
    done = shell('"$@" | head -1; echo ${PIPESTATUS[0]}', DPID, "methods")
    first, code = done.stdout.splitlines()
    assert first == b"Methods:" and code in (b"0", b"141") and done.stderr == b""


def test_a_full_disk_is_an_error():
    done = shell('"$@" - -s 2 -m box < a.png > /dev/full', DPID, "downscale")
    assert done.returncode == 1 and says(done, "standard output", "no space left on device")


def test_names_with_line_ends(photo):
    name = "new\nline\x1b[31m.png"
    (photo / "a.png").rename(photo / name)
    for words in (
        ["downscale", name, "-s", "2", "-m", "box", "-o", name],
        ["downscale", f"{name}.gif", "-s", "2"],
        ["compare", f"{name}.gif", "-s", "2"],
        ["batch", f"{name}.gif", "out", "-s", "2"],
    ):
        done = process(*words)
        assert done.returncode and says(done, r"new\nline\x1b[31m.png") and b"\x1b" not in done.stderr
    done = process("batch", name, "out", "-s", "2", "-m", "box", "-v")
    assert done.stderr.decode().startswith(r"new\nline\x1b[31m.png: done")
    done = process("downscale", name, "-s", "2", "-m", "box", "--json")
    assert json.loads(done.stdout)["input"] == name and done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("encoding", ["cp1252", "cp1252:surrogateescape", "latin-1", "ascii", "utf-8"])
def test_encodings_that_lack_characters(encoding, photo):
    name = "\u00e4\u2192\u4e2d.png"
    (photo / "a.png").rename(photo / name)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (
        ["downscale", name, "-s", "2", "-m", "box"],
        ["batch", name, "out", "-s", "2", "-m", "box", "-v"],
        ["batch", name, "out", "-s", "2", "-m", "box", "-n", "--overwrite"],
        ["compare", name, "-s", "2"],  # which prints a lambda
        ["methods"],
    ):
        done = process(*words, env=environment)
        assert done.returncode == 0 and b"internal" not in done.stderr
    done = process("downscale", f"{name}.gif", "-s", "2", env=environment)
    assert done.returncode == 1 and b"cannot be read" in done.stderr and b"internal" not in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp1252:surrogateescape"])
def test_symbols_that_an_encoding_lacks_are_words(encoding, photo):
    words = ("compare", "a.png", "-s", "2", "-m", "dpid:lambda=0.5")
    plain = process(*words, env={**os.environ, "PYTHONIOENCODING": "utf-8"}).stdout.decode()
    done = process(*words, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0 and b"\\" not in done.stdout
    assert "λ = 0.5" in plain and b"lambda = 0.5" in done.stdout
