"""Batches that are resumed, and their reports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.batching.items import Result
from dpid_cli.batching.report import Report, recording
from support.command import listing, process
from support.folders import counts, lines, statuses

WORDS = ("in", "out", "-r", "-s", "2", "-s", "3", "-m", "box", "--report", "r.jsonl")


@pytest.fixture
def photos(folder: Path) -> Path:
    """Four pictures, one of them deeper."""
    noise = np.random.default_rng(7).integers(0, 256, (4, 40, 60, 3), np.uint8)
    (folder / "in" / "sub").mkdir(parents=True)
    for name, pixels in zip(("a.png", "b.png", "c.jpg", "sub/d.png"), noise, strict=True):
        Image.fromarray(pixels).save(folder / "in" / name)
    return folder


@pytest.fixture
def resume(dpid, photos):
    """Go on with the batch of `WORDS`, which is done, with other words: counts."""
    assert dpid("batch", *WORDS).exit_code == 0

    def run(*more: str) -> tuple[int, int, int]:
        return counts(dpid("batch", *WORDS, "--resume", "--json", *more))

    return run


def test_nothing_is_done_twice(resume, photos):
    before, kept = listing(photos / "out"), lines()
    inodes = {path: path.stat().st_ino for path in Path("out").rglob("*")}
    assert resume() == (0, 4, 0)
    assert resume() == (0, 4, 0)
    assert listing(photos / "out") == before
    assert {path: path.stat().st_ino for path in Path("out").rglob("*")} == inodes
    assert {line["reason"] for line in lines().values()} == {"done before"}
    for name, line in lines().items():
        for key in "outputs", "output_bytes", "input_bytes", "modified", "order":
            assert line[key] == kept[name][key]


@pytest.mark.parametrize("began", [False, True])
def test_another_run_ends_between_the_look_at_the_report_and_its_lock(dpid, photos, monkeypatch, began):
    if began:
        assert dpid("batch", *WORDS, "--include", "a.png").exit_code == 0
    made = []

    def after_another_run(path: str, *, resume: bool) -> AbstractContextManager[Callable[[Result], None]]:
        if not made:
            made.append(process("batch", *WORDS, "--resume").returncode)
            made.append(lines())
        return recording(path, resume=resume)

    monkeypatch.setattr("dpid_cli.batching.session.recording", after_another_run)
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (0, 4, 0)
    assert made[0] == 0 and lines().keys() == made[1].keys()
    assert all(lines()[name]["output_bytes"] == line["output_bytes"] for name, line in made[1].items())


def change_content(folder: Path) -> None:
    """Of the same length, at the same time: only a checksum tells."""
    path, data = folder / "in" / "a.png", (folder / "in" / "b.png").read_bytes()
    was = path.stat()
    path.write_bytes(data.ljust(was.st_size, b"\0")[: was.st_size])
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "more", "redone"),
    [
        (lambda f: (f / "in" / "a.png").touch(), (), 1),
        (lambda f: (f / "in" / "a.png").write_bytes((f / "in" / "b.png").read_bytes()), (), 1),
        (lambda f: (f / "out" / "x2" / "a.png").unlink(), (), 1),
        (lambda f: (f / "out" / "x2" / "a.png").write_bytes(b"cut"), (), 1),
        (lambda f: None, ("--quality", "50"), 4),
        (lambda f: None, ("--window", "5"), 4),
        (lambda f: None, ("--metadata", "strip"), 4),
        (lambda f: None, ("--multiple-of", "2"), 4),
        (lambda f: None, ("-s", "4"), 4),
        (lambda f: None, ("--format", "webp"), 4),
        (lambda f: None, ("-j", "1"), 0),
        (lambda f: None, ("--max-pixels", "1M"), 0),
        (change_content, (), 0),
    ],
)
def test_what_changed_is_done_again(resume, photos, change, more, redone):
    change(photos)
    assert resume(*more) == (redone, 4 - redone, 0)
    assert resume(*more) == (0, 4, 0)


def test_another_version_does_everything_again(resume, monkeypatch):
    monkeypatch.setattr("dpid_cli.batching.spec.__version__", "99")
    assert resume() == (4, 0, 0)


def test_checksums(dpid, photos):
    words = ("batch", *WORDS, "--checksum", "--resume", "--json")
    assert counts(dpid(*words)) == (4, 0, 0)
    for path in Path("in").rglob("*.*"):
        path.touch()
    assert counts(dpid(*words)) == (0, 4, 0)
    change_content(photos)
    assert counts(dpid(*words)) == (1, 3, 0)


def test_failures_are_tried_again(dpid, photos):
    good = Path("in/a.png").read_bytes()
    Path("in/a.png").write_bytes(good[:100])
    assert dpid("batch", *WORDS).exit_code == 1
    assert statuses()["in/a.png"] == "failed" and lines()["in/a.png"]["outputs"] == []
    Path("in/a.png").write_bytes(good)
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (1, 3, 0)
    assert list(statuses().values()).count("done") == 1 and len(statuses()) == 4


def test_retry_failed(dpid, photos):
    good = Path("in/a.png").read_bytes()
    Path("in/a.png").write_bytes(good[:100])
    assert dpid("batch", *WORDS).exit_code == 1
    words = [*WORDS[:-1], "other.jsonl", "--retry-failed", "r.jsonl", "--json"]
    dry = dpid("batch", *words, "-n")
    assert (counts(dry), dry.stderr) == ((1, 0, 0), "in/a.png: would write: out/x2/a.png, out/x3/a.png\n")
    assert counts(dpid("batch", *words)) == (0, 0, 1)  # its header alone was good
    Path("in/a.png").write_bytes(good)
    assert counts(dpid("batch", *words, "--overwrite")) == (1, 0, 0)
    assert statuses("other.jsonl") == {"in/a.png": "done"}
    again = dpid("batch", *WORDS, "--retry-failed", "r.jsonl", "--json", "--overwrite")
    assert counts(again) == (1, 0, 0)
    assert statuses() == dict.fromkeys(("in/a.png", "in/b.png", "in/c.jpg", "in/sub/d.png"), "done")


def test_retry_failed_goes_by_files_not_by_spelling(dpid, photos):
    Path("in/a.png").write_bytes(b"")
    assert dpid("batch", *WORDS).exit_code == 1
    words = ("-s", "2", "--retry-failed", "r.jsonl", "--json", "-n")
    result = dpid("batch", f"{photos}/./in", "new", *words)
    assert counts(result) == (0, 0, 1)
    result = dpid("batch", "in/sub", "new", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("--retry-failed: r.jsonl: none of these inputs failed there: ")


def test_files_of_others_are_not_replaced(dpid, photos):
    """What was in the way of the first run is in the way of the next."""
    Path("out/x3").mkdir(parents=True)
    Path("out/x3/a.png").write_bytes(b"somebody's")
    assert dpid("batch", *WORDS).exit_code == 1
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (0, 3, 1)
    assert Path("out/x3/a.png").read_bytes() == b"somebody's"


def test_what_exists_for_other_reasons_is_not_taken_for_done(dpid, photos):
    assert dpid("batch", *WORDS[:-4], "-m", "max").exit_code == 0
    result = dpid("batch", *WORDS, "--skip-existing", "--json")
    assert counts(result) == (0, 4, 0)
    for line in lines().values():
        assert line["outputs"] and line["output_bytes"] and line["reason"] == "exists already"
        for key in "output_sizes", "methods", "parameters":
            assert line[key] == [None, None]
        assert (line["input_size"], line["frames"], line["order"]) == (None, 0, "")
    before = listing(photos / "out")
    result = dpid("batch", *WORDS, "--resume", "--json")
    assert (
        counts(result) == (0, 0, 4) and "and the outputs of 3 other inputs: exist already: " in result.stderr
    )
    assert listing(photos / "out") == before
    assert counts(dpid("batch", *WORDS, "--resume", "--overwrite", "--json")) == (4, 0, 0)
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (0, 4, 0)


def test_the_report_claims_nothing_of_what_was_kept(dpid, photos):
    """Of one with results of both kinds; only what it has made is replaced later."""
    Path("out/x2").mkdir(parents=True)
    Path("out/x2/a.png").write_bytes(b"somebody's")
    assert dpid("batch", *WORDS, "--skip-existing").exit_code == 0
    line = lines()["in/a.png"]
    assert line["status"] == "done" and line["outputs"] == ["out/x2/a.png", "out/x3/a.png"]
    assert line["output_bytes"] == [10, Path("out/x3/a.png").stat().st_size]
    assert (line["output_sizes"], line["methods"]) == ([None, [20, 13]], [None, "box"])
    assert (line["parameters"], line["input_size"]) == ([None, {"window": None}], [60, 40])
    made = Path("out/x3/a.png").stat()
    Path("out/x2/a.png").rename("somebody's")
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (1, 3, 0)
    assert Path("out/x3/a.png").stat().st_ino != made.st_ino
    assert lines()["in/a.png"]["methods"] == ["box", "box"]


def test_resuming_a_run_that_skips_what_exists(dpid, photos):
    """What the report tells was made is done again when it changes, what else there is stays."""
    Path("out/x2").mkdir(parents=True)
    Path("out/x2/a.png").write_bytes(b"somebody's")
    words = ("batch", *WORDS, "--skip-existing", "--resume", "--json")
    assert counts(dpid(*words)) == (4, 0, 0)
    for name in "x2/b.png", "x3/b.png":  # killed before the line was written
        Path("out", name).write_bytes(b"perhaps ours")
    kept = [line for line in Path("r.jsonl").read_text().splitlines(keepends=True) if "b.png" not in line]
    Path("r.jsonl").write_text("".join(kept))
    assert counts(dpid(*words)) == (0, 4, 0)
    Path("in/a.png").touch()
    assert counts(dpid(*words)) == (1, 3, 0)
    assert (Path("out/x2/a.png").read_bytes(), lines()["in/a.png"]["methods"]) == (
        b"somebody's",
        [None, "box"],
    )
    assert lines()["in/b.png"]["reason"] == "exists already"
    assert counts(dpid(*words, "-s", "2", "--metadata", "strip")) == (3, 1, 0)
    assert Path("out/x2/b.png").read_bytes() == b"perhaps ours"


def test_what_is_copied_is_of_no_method(dpid, photos):
    Image.new("RGB", (120, 90)).save("in/c.jpg")
    words = ("in/a.png", "in/c.jpg", "out", "--width", "60", "--min-size", "70", "--if-smaller", "copy")
    assert dpid("batch", *words, "--report", "r.jsonl").exit_code == 0
    told = lines()
    assert (told["in/a.png"]["methods"], told["in/c.jpg"]["methods"]) == ([None], ["dpid"])
    assert (told["in/a.png"]["parameters"], told["in/a.png"]["output_sizes"]) == ([{}], [[60, 40]])


def test_what_is_in_the_way_of_others_is_nobodys_to_replace(dpid, photos):
    """Neither what is in the way of new inputs, nor where new options would have results."""
    assert dpid("batch", *WORDS).exit_code == 0
    (photos / "in" / "new.png").write_bytes((photos / "in" / "a.png").read_bytes())
    theirs = [Path("out/x2/new.png"), Path("other/x2/b.png"), Path("out/x4/a.png")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody's")
    for more, failed in (("--resume",), 1), (("--resume", "-n"), 1), (("--resume", "-s", "4"), 2):
        result = dpid("batch", *WORDS, "--json", "-v", *more)
        assert counts(result)[2] == failed == result.stderr.count("exists already")
    words = ("batch", "in", "other", *WORDS[2:], "--resume", "--json")
    assert counts(dpid(*words)) == (4, 0, 1)
    assert [path.read_bytes() for path in theirs] == [b"somebody's"] * 3


def test_what_was_in_flight_is_known_by_its_content(resume, photos):
    """A run that was killed has written results, but no line."""
    kept = Path("r.jsonl").read_text().splitlines(keepends=True)
    Path("r.jsonl").write_text("".join(line for line in kept if "a.png" not in line and "c.jpg" not in line))
    Path("out/x3/c.jpg").unlink()
    inodes = {path: path.stat().st_ino for path in Path("out").rglob("*.*")}
    assert resume("-n") == resume() == (2, 2, 0)
    assert {path: path.stat().st_ino for path in inodes} == inodes
    assert len(lines()) == 4 and resume() == (0, 4, 0)


def test_what_a_lost_worker_has_written_is_known_by_its_content(resume, photos):
    """Its input counts as failed; an output of other content is somebody else's."""
    kept = [line | {"status": "failed", "error": "lost"} for line in lines().values()]
    Path("r.jsonl").write_text("".join(json.dumps(line | {"outputs": []}) + "\n" for line in kept))
    output = next(path for path in Path("out").rglob("a*.png"))
    output.write_bytes(b"of somebody else")
    inodes = {path: path.stat().st_ino for path in Path("out").rglob("*")}
    assert resume() == (3, 0, 1)
    assert {path: path.stat().st_ino for path in Path("out").rglob("*")} == inodes
    assert output.read_bytes() == b"of somebody else"
    assert "exists already" in lines()["in/a.png"]["error"]


def test_results_of_what_fails_later_are_not_forgotten(resume, photos):
    """An input that is damaged for a while: its results are still ours."""
    good = Path("in/a.png").read_bytes()
    Path("in/a.png").write_bytes(b"no picture")
    assert resume() == (0, 3, 1)
    assert lines()["in/a.png"]["outputs"] == ["out/x2/a.png", "out/x3/a.png"]
    Path("in/a.png").write_bytes(good)
    assert resume() == (1, 3, 0)


def test_retry_replaces_what_the_failed_one_has_made(dpid, photos):
    Path("out/x3/a.png").mkdir(parents=True)  # found when x2 is written, as by two runs at once
    told = {"input": "in/a.png", "status": "failed", "outputs": ["out/x2/a.png"], "error": "x"}
    nothing = {"output_bytes": [], "parameters": [], "methods": [], "output_sizes": [], "frames": 0}
    nothing |= {"input_size": None, "warnings": [], "order": "", "checksum": None}
    Path("r.jsonl").write_text(json.dumps(told | nothing | {"input_bytes": 1, "modified": 1}) + "\n")
    Path("out/x2").mkdir()
    Path("out/x2/a.png").write_bytes(b"ours")
    words = ("batch", *WORDS[:-1], "new.jsonl", "--retry-failed", "r.jsonl", "--json", "--overwrite")
    assert counts(dpid(*words)) == (0, 0, 1)
    Path("out/x3/a.png").rmdir()
    assert counts(dpid(*words[:-1], "--report", "r.jsonl")) == (1, 0, 0)


def test_resuming_forgets_no_fact(dpid, photos):
    """What a skipped input was before is told of it again."""
    Path("in/c.jpg").rename("in/c.png")
    assert dpid("batch", *WORDS, "--format", "gif").exit_code == 0
    before = lines()
    assert dpid("batch", *WORDS, "--format", "gif", "--resume").stderr == ""
    for name, line in lines().items():
        assert line["status"] == "skipped"
        assert {key for key in line if line[key] != before[name][key]} <= {"status", "reason", "seconds"}


def test_one_folder_by_another_spelling(resume, photos, dpid):
    words = ("batch", "./in", f"{photos}/out", *WORDS[2:], "--resume", "--json")
    assert counts(dpid(*words)) == (0, 4, 0)


def test_retry_into_the_same_report_by_another_name(dpid, photos):
    Path("in/a.png").write_bytes(b"")
    assert dpid("batch", *WORDS).exit_code == 1
    Path("link.jsonl").symlink_to("r.jsonl")
    for name in "./r.jsonl", f"{photos}/r.jsonl", "link.jsonl":
        result = dpid("batch", *WORDS[:-1], name, "--retry-failed", "r.jsonl", "--overwrite", "--json")
        assert counts(result) == (0, 0, 1) and len(lines()) == 4


def test_torn_last_line(resume, photos):
    whole = Path("r.jsonl").read_bytes()
    for kept in range(len(whole) - 1, len(whole) - 400, -57):
        Path("r.jsonl").write_bytes(whole[:kept])
        assert resume() == (1, 3, 0)
        assert len(lines()) == 4


def test_reports_put_together_of_which_one_is_torn(resume, photos):
    """As by ``cat``: what was cut off, and the line that it runs into, are not known."""
    first, second, *rest = Path("r.jsonl").read_bytes().splitlines(keepends=True)
    Path("r.jsonl").write_bytes(first[: len(first) // 2] + second + b"".join(rest))
    assert resume() == (2, 2, 0)
    assert len(lines()) == 4


@pytest.mark.parametrize("content", [b"", b'{"inp', b'{"input": "in/a.png", "sta'])
def test_report_without_a_whole_line(dpid, photos, content):
    Path("r.jsonl").write_bytes(content)
    assert counts(dpid("batch", *WORDS, "--resume", "--json")) == (4, 0, 0)
    assert len(lines()) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"text",
        b"text\n",
        b"{}\n",
        b"[1]\n",
        b'{"input": 5, "status": "done"}\n',
        b'{"input": "\\ud800", "status": "done"}\n',
    ],
)
def test_what_is_no_report_is_left_alone(dpid, photos, content):
    Path("r.jsonl").write_bytes(content)
    result = dpid("batch", *WORDS, "--resume")
    assert (result.exit_code, Path("r.jsonl").read_bytes()) == (2, content)
    assert "not a report" in result.stderr and not Path("out").exists()


def test_report_that_cannot_be_written(dpid, photos):
    result = dpid("batch", *WORDS[:-1], "/dev/null/r.jsonl")
    assert result.exit_code == 1 and "cannot be created" in result.stderr
    result = dpid("batch", *WORDS[:-1], "/dev/full", "--overwrite")
    assert result.exit_code == 1 and result.stderr == (
        "/dev/full: cannot be written: no space left on device: check space and rights\n"
    )


def test_the_last_line_about_an_input_counts(folder):
    told = [
        {"input": name, "status": status} for name, status in (("a", "failed"), ("b", "done"), ("a", "done"))
    ]
    Path("r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    report = Report("r.jsonl")
    assert (report.count("done", "failed"), report.lines) == (2, 3)
    assert not report.failed("a") and not report.failed("c")
    report.rewrite()
    report.close()
    assert [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()] == told[1:]


def test_one_file_by_two_names_is_two_inputs(dpid, folder):
    Path("in/link").mkdir(parents=True)
    Image.new("L", (8, 6), 90).save("in/a.png")
    Path("in/link/a.png").symlink_to("../a.png")
    Path("in/other").symlink_to("link")
    words = ("batch", "in", "out", "-s", "2", "-m", "box", "-r", "--report", "r.jsonl", "--resume", "--json")
    first = json.loads(dpid(*words).stdout)
    again = json.loads(dpid(*words).stdout)
    assert first["done"] == first["inputs"] >= 2
    assert (again["done"], again["skipped"]) == (0, first["inputs"])
