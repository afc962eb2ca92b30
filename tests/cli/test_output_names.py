"""Names of single outputs, dry runs, and what exists already."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from support.command import is_one_error_line, listing
from support.folders import files, make


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "a_dpid_x2.png b_dpid_x2.jpg"),
        ("--suffix _small", "a_small.png b_small.jpg"),
        ("--suffix .min --format webp", "a.min.webp b.min.webp"),
        ("--name {stem}{ext}", "a.png b.jpg"),
        ("--name {stem}.tif", "a.tif b.tif"),
        ("--name {index:02}-{width}x{height}{source_ext}", "01-4x3.png 02-4x3.jpg"),
        ("--name {parent}/{stem}_{method}{lambda}x{scale}{ext} --lambda 0.5",
         "in/a_dpid0.5x2.png in/b_dpid0.5x2.jpg"),
    ],
)  # fmt: skip
def test_names(dpid, folder, words, expected):
    inputs = str(make("in/a.png")), str(make("in/b.jpg"))
    result = dpid("downscale", *inputs, "-s", "2", "-o", "out/", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == sorted(expected.split())
    assert sorted(result.stdout.split()) == [f"out/{name}" for name in sorted(expected.split())]
    for name in expected.split():
        with Image.open(Path("out", name)) as image:
            assert {".tif": "TIFF", ".jpg": "JPEG"}.get(Path(name).suffix, image.format) == image.format


def test_next_to_the_input(dpid, folder):
    make("in/a.png")
    assert (
        dpid("downscale", "in/a.png", "-s", "2", "--name", "small/{stem}{ext}").stdout == "in/small/a.png\n"
    )
    assert dpid("downscale", "in/a.png", "-s", "2", "--suffix", "-s").stdout == "in/a-s.png\n"
    again = dpid("downscale", "in/a.png", "-s", "2", "--name", "{stem}{ext}", "--overwrite")
    assert again.exit_code == 1 and "never overwritten" in again.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-o x.png --name {stem}{ext}", "is one file, which --name and --suffix do not name"),
        ("-o - --suffix _s", "is one file"),
        ("--name {stem}.xyz", "xyz"),
        ("--name same{ext}", "must contain {stem} or {index}"),
        ("--name {stem}/../../x{ext}", "leads out"),
        ("--width 2 --name {stem}{scale}{ext}", "only one kind"),
    ],
)
def test_names_that_cannot_be(dpid, folder, words, told):
    make("a.png")
    before = listing(folder)
    result = dpid("downscale", "a.png", "-s", "2", *words.split())
    assert result.exit_code and is_one_error_line(result.stderr) and told in result.stderr
    assert listing(folder) == before


def test_one_line_for_all_outputs_that_exist(dpid, folder):
    inputs = [str(make(f"{k}.png")) for k in range(4)]
    assert dpid("downscale", *inputs[:1], "-s", "2").exit_code == 0
    second = dpid("downscale", *inputs[:2], "-s", "2")
    told = "0_dpid_x2.png: exists already: use --overwrite, or choose another output\n"
    assert (second.exit_code, second.stderr, second.stdout) == (1, told, "1_dpid_x2.png\n")
    third = dpid("downscale", *inputs, "-s", "2")
    assert third.stderr == (
        "0_dpid_x2.png and the outputs of another input: exist already: use --overwrite, or choose another "
        "output\n"
    )
    fourth = dpid("downscale", *inputs, "-s", "2", "--json")
    assert fourth.stderr.startswith("0_dpid_x2.png and the outputs of 3 other inputs: exist already: ")
    assert [json.loads(line)["status"] for line in fourth.stdout.splitlines()] == ["failed"] * 4
    assert dpid("downscale", *inputs, "-s", "2", "-v").stderr.count(": exists already: ") == 4
    for word in "-f", "-y", "--overwrite":
        assert dpid("downscale", *inputs, "-s", "2", word).exit_code == 0


def test_one_line_for_all_outputs_of_a_batch_that_exist(dpid, folder):
    for k in range(12):
        make(f"in/{k}.png")
    words = ("batch", "in", "out", "-s", "2")
    assert dpid(*words).exit_code == 0
    again = dpid(*words, "--report", "r.jsonl")
    assert again.exit_code == 1 and again.stderr.count("\n") == 1
    told = "the outputs of 11 other inputs: exist already: use --overwrite, or --skip-existing to keep them"
    assert again.stderr.endswith(f" and {told}\n")
    errors = [json.loads(line)["error"] for line in Path("r.jsonl").read_text().splitlines()]
    assert len({error for error in errors if ": exists already: " in error}) == 12
    assert dpid(*words, "-n").stderr.endswith(f" and {told}\n")


@pytest.mark.parametrize("words", ["-n", "--dry-run -v", "-n --json"])
def test_dry_run(dpid, folder, words):
    make("a.png")
    make("small.png", (2, 2))
    Path("bad.png").write_bytes(b"nothing")
    before = listing(folder)
    given = ("downscale", "a.png", "small.png", "bad.png", "--width", "4", "-o", "new/", *words.split())
    result = dpid(*given, "--if-smaller", "skip")
    assert result.exit_code == 1 and listing(folder) == before
    assert "bad.png: not an image" in result.stderr and "small.png: " in result.stderr
    if "--json" in words:
        told = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["status"] for one in told] == ["planned", "skipped", "failed"]
        assert (told[0]["output"], told[0]["output_size"]) == ("new/a_dpid_4x3.png", [4, 3])
    else:
        assert result.stdout == "a.png: would write new/a_dpid_4x3.png\n"


def test_dry_run_finds_what_the_run_would_find(dpid, folder):
    make("a.png")
    assert dpid("downscale", "a.png", "-s", "2").exit_code == 0
    exists = dpid("downscale", "a.png", "-s", "2", "-n")
    assert exists.exit_code == 1 and "exists already" in exists.stderr
    Image.new("RGBA", (8, 8), (1, 2, 3, 4)).save("alpha.png")
    alpha = [dpid("downscale", "alpha.png", "-s", "2", "-o", "x.jpg", *dry) for dry in ((), ("-n",))]
    assert alpha[0].exit_code == alpha[1].exit_code == 1 and alpha[0].stderr == alpha[1].stderr
