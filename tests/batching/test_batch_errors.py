"""Errors of dpid batch, and what it prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dpid_cli.batching import inventory
from dpid_cli.batching.scratch import database
from support.command import DPID, is_one_error_line, listing, pixels, process
from support.folders import files, lines


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("in", "INPUT is missing"),
        ("missing out -s 2", "no such file or folder"),
        ("missing/*.png out -s 2", "no folder missing"),
        ("in/*.tif out -s 2", "no file matches in/*.tif"),
        ("in/sub/deep/../../.. out -s 2", "contains no images"),
        ("in out", "no size is given"),
        ("in out -s 2 --width 3", "give only one kind"),
        ("in out -s 0.5", "would enlarge"),
        ("in out -s 2 --name {stem}{x}", "{x} is not known"),
        ("in out -s 2 --name {stem:5}", "not known"),
        ("in out -s 2 --name a{ext}", "must contain {stem}"),
        ("in out -s 2 --name /{stem}", "must contain {stem}"),
        ("in out -s 2 --name ../{stem}{ext}", "leads out"),
        ("in out -s 2 --name {stem", "write {{"),
        ("in out --width 2 --name {stem}{scale}{ext}", "needs -s"),
        ("in out -s 2 -m box --lambda 2", "no such parameter"),
        ("in out -s 2 -m box -m max --lambda 2", "none of these methods takes it"),
        ("in out -s 2 --overwrite --skip-existing", "contradicts"),
        ("in out -s 2 --resume", "give --report"),
        ("in out -s 2 --root in", "works only with --from-file"),
        ("in out -s 2 --from-file x", "replaces INPUT"),
        ("--from-file missing out -s 2", "cannot be read"),
        ("--from-file x out -s 2 -r", "names every input"),
        ("in out -s 2 --retry-failed missing", "cannot be read"),
        ("in out -s 2 --report in/notes.txt", "exists already"),
        ("in out -s 2 --report in/notes.txt -n", "exists already"),
        ("in out -s 2 --report in", "is a folder"),
        ("in out -s 2 --report in/a.png --overwrite", "this is an input, which is never overwritten"),
        ("in out -s 2 --report more/link --overwrite", "this is an input, which is never overwritten"),
        ("in out -s 2 --report out/a.png", "an output would have this path"),
        ("in out -s 2 --report in/r.jsonl --include *", "among the inputs"),
        ("--from-file more/list out -s 2 --report more/../more/list --overwrite", "this is the list"),
        ("in out -s 2 --report more/fifo --resume", "not a report"),
        ("in out -s 2 --retry-failed more/fifo", "not a report"),
        ("in out/x -s 2 --report out", "outputs would be below it"),
        ("in out -s 2 --hr hr --report ./hr", "outputs would be below it"),
        ("in EMPTY -s 2", "an empty path"),
        ("in out -s 2 --report EMPTY", "--report: an empty path"),
        ("in out -s 2 --hr EMPTY", "--hr: an empty path"),
        ("in in/notes.txt -s 2", "OUTPUT_DIR: in/notes.txt: not a folder"),
        ("in in/notes.txt -s 2 -n", "OUTPUT_DIR: in/notes.txt: not a folder"),
        ("in out -s 2 --hr in/notes.txt -n", "--hr: in/notes.txt: not a folder"),
        ("in out -s 2 --report in/notes.txt --resume", "not a report"),
        ("in out -s 2 --include [z-a]", "not a valid pattern"),
        ("in out -s 2 --min-size 3y4", "must be a size"),
    ],
)  # fmt: skip
def test_usage_errors(dpid, photos, words, told):
    (photos / "more").mkdir()
    (photos / "more" / "link").symlink_to("../in/a.png")
    (photos / "more" / "list").write_text("in/a.png\n")
    os.mkfifo("more/fifo")
    before = listing(photos)
    result = dpid("batch", *("" if word == "EMPTY" else word for word in words.split()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(photos) == before


def test_results_that_cannot_be_written(photos):
    """Dry runs tell of them, too: folders that are files, names that are too long, and nothing is decoded."""
    Path("out/x2").mkdir(parents=True)
    Path("out/x2/sub").touch()
    words = f"batch in out -r -s 2 -s 3 -m box --name {'n' * 247}{{stem}}{{ext}}".split()
    Path("in/sub/c.png").rename("in/longer.png")
    for more in ("-n",), ():
        done = process(*words, *more)
        told = os.fsdecode(done.stderr).splitlines()
        assert done.returncode == 1 and len(told) == 2
        assert any("longer.png: cannot be written: file name too long: " in line for line in told)
        assert "out/x2/sub: not a folder: choose another output" in told
        assert all(is_one_error_line(line + "\n") for line in told)


def test_folders_that_are_read_only(dpid, photos, monkeypatch):
    """Rights do not stop root: the system's answer is made up."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != Path() and access(path, mode))
    for more in (), ("-n",):
        result = dpid("batch", "in", "out", "-s", "2", *more)
        assert (
            result.exit_code == 1
            and ".: the folder is read-only, so no file can be created: " in result.stderr
        )


def test_reports_that_are_no_files(photos):
    """Nothing is lost by writing to them."""
    done = process("batch", "in", "out", "-s", "2", "-m", "box", "-q", "--report", "/dev/stdout")
    assert (done.returncode, done.stderr) == (0, b"")
    assert {json.loads(line)["status"] for line in done.stdout.splitlines()} == {"done"}


def test_a_current_folder_that_is_gone(photos):
    words = [
        DPID,
        "batch",
        photos / "in",
        photos / "out",
        "-s",
        "2",
        "-m",
        "box",
        "--report",
        photos / "r.jsonl",
    ]
    code = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(["sh", "-c", code, "sh", *words], capture_output=True, check=False)
    assert (done.returncode, done.stderr, files("out")) == (0, b"", ["a.png", "b.jpg"])
    assert len(lines("r.jsonl")) == 2


def test_a_list_that_finds_no_room(dpid, photos, monkeypatch):
    """Made up, as a disk cannot be filled here: what SQLite says of it."""
    (photos / "list").write_text("".join(f"{k}.png\n" for k in range(3000)))
    small = "PRAGMA max_page_count = 20; PRAGMA cache_size = 1;"
    monkeypatch.setattr(inventory, "database", lambda tables: database(small + tables))
    result = dpid("batch", "--from-file", "list", "out", "-s", "2", "--report", "r.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and result.stderr.startswith("TMPDIR: ")
    assert not Path("r.jsonl").exists()


CLOSED = """
import os, sys
from PIL import Image
save = Image.Image.save
def loudly(*args, **options):
    for number in 1, 2:
        os.write(number, b"as a library prints")
    save(*args, **options)
Image.Image.save = loudly
from dpid_cli.cli import main
main(sys.argv[1:])
"""


def test_closed_streams(photos):
    """What libraries print gets into no file that would otherwise have their numbers."""
    words = [sys.executable, "-c", CLOSED, "batch", "in", "out", "-r", "-s", "2", "--report", "r.jsonl"]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], check=False)
    assert done.returncode == 0 and len(lines("r.jsonl")) == 4
    assert [pixels(Path("out", name)).shape for name in files("out")] == [(3, 4, 3)] * 4
    words = [DPID, "batch", "--from-file", "-", "out", "-s", "2"]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *words], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("--from-file: standard input: it is closed: ")


def test_an_empty_list_is_no_error(dpid, folder):
    result = dpid("batch", "--from-file", "-", "out", "-s", "2", stdin=b"")
    assert (result.exit_code, files("out") if Path("out").exists() else []) == (0, [])
    assert result.stdout.startswith("done 0, skipped 0, failed 0, ")


def test_what_is_said(dpid, photos):
    (photos / "in" / "bad.png").touch()
    words = ("batch", "in", "out", "-s", "2", "-m", "box", "--overwrite")
    result = dpid(*words)
    assert re.fullmatch(
        r"done 2, skipped 0, failed 1, not images 1, in [\d.]+ s \([\d.]+ files/s, [\d.]+ MP/s\)\n",
        result.stdout,
    )
    assert is_one_error_line(result.stderr)
    assert dpid(*words, "-q").stdout == ""
    loud = dpid(*words, "-v").stderr.splitlines()
    assert len(loud) == 3 and "in/a.png: done: out/a.png" in loud
