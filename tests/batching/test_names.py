"""The names of outputs, and collisions."""

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
        ("-s 2", "a.png sub/b.jpg"),
        ("-s 2 --format webp", "a.webp sub/b.webp"),
        ("-s 2 --format png", "a.png sub/b.png"),
        ("-s 2.5 --name {stem}_{method}_x{scale}{ext}", "a_dpid_x2.5.png sub/b_dpid_x2.5.jpg"),
        ("--width 4 --name {stem}-{width}x{height}{ext}", "a-4x3.png sub/b-4x6.jpg"),
        ("-s 2 --name {method}/{stem}.png", "dpid/a.png sub/dpid/b.png"),
        ("-s 2 --name {{{stem}}}{ext}", "{a}.png sub/{b}.jpg"),
        ("-s 2 -s 4", "x2/a.png x2/sub/b.jpg x4/a.png x4/sub/b.jpg"),
        ("-s 2 -m box -m dpp --alpha 0.1", "box/a.png box/sub/b.jpg dpp/a.png dpp/sub/b.jpg"),
        ("-s 2 -s 1.5 -m box -m max --exclude *.jpg",
         "box/x1.5/a.png box/x2/a.png max/x1.5/a.png max/x2/a.png"),
        ("-s 2 -s 2 -m box -m box", "a.png sub/b.jpg"),
    ],
)  # fmt: skip
def test_names(dpid, folder, words, expected):
    exif = Image.Exif()
    exif[0x112] = 6  # lies on its side
    make("in/a.png")
    make("in/sub/b.jpg", (12, 8), exif=exif)
    result = dpid("batch", "in", "out", "-r", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == sorted(expected.split())
    with Image.open(Path("out") / files("out")[-1]) as image:
        assert {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[Path(image.filename).suffix] == image.format


def test_input_without_an_extension_becomes_png(dpid, folder):
    make("in/a", format="JPEG")
    result = dpid("batch", "in", "out", "-s", "2", "--include", "a")
    assert (result.exit_code, files("out")) == (0, ["a.png"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("dup.png dup.jpg", "--format png"),
        ("Dup.png dup.png", ""),
        ("sub/x.png Sub/x.png", ""),
        ("\u00e9.png e\u0301.png", ""),
        ("STRASSE.png stra\u00dfe.png", ""),
        ("a.png b.png", "--name all{ext}{stem}/../x.png"),
        ("a.png b.png", "--name x/{width}{ext}"),
        ("a1.png a.png", "--name {stem}{width}{ext}"),
    ],
)
def test_collisions_are_refused_before_anything_is_written(dpid, folder, names, words):
    sizes = {"a1.png": (4, 4), "a.png": (24, 4)}
    for name in names.split():
        make(f"in/{name}", sizes.get(name, (8, 6)))
    before = listing(folder)
    result = dpid("batch", "in", "out", "-r", "-s", "2", *words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr)
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("in in -s 2 --overwrite", "is an input"),
        ("in in/sub/out -r -s 2", "would be among the inputs"),
        ("in . -r -s 2 --name in/new/{stem}{ext}", "would be among the inputs"),
        ("in in -s 2 --name {stem}_small{ext}", "would be among the inputs"),
        ("in link -s 2 --overwrite --name x{stem}{ext}", "would be among the inputs"),
        ("in out -s 2 -r --hr in/hr", "would be among the inputs"),
        ("in/*.png in -s 2 --name x{stem}{ext}", "would be among the inputs"),
        ("in/a.png in -s 2 --overwrite", "is an input"),
        ("in out -s 2 --hr out", "two outputs of in/"),
        ("in/a.png in -s 2 --name {stem}.PNG", "is an input"),
        ("--from-file list . -s 2 --overwrite", "is an input"),
        ("linked in -s 2 --overwrite", "is an input"),
        ("in in/sub out -r -s 2", "outputs would be named sub/c.png and c.png: give it only once"),
        ("in ./in/sub/../sub/c.png out -r -s 2", "outputs would be named sub/c.png and c.png"),
        ("--from-file - out -s 2", "outputs would be named in/a.png and a.png"),
    ],
)
def test_no_result_replaces_an_input_or_becomes_one(dpid, photos, words, told):
    (photos / "link").symlink_to("in")
    make("linked/x.png").unlink()
    (photos / "linked" / "a.png").symlink_to("../in/a.png")
    (photos / "list").write_text("in/a.png\n")
    before = listing(photos)
    result = dpid("batch", *words.split(), stdin=f"in/a.png\n{photos}/in/a.png".encode())
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(photos) == before


@pytest.mark.parametrize(
    "words",
    [
        "in in/small -s 2",  # which is not looked into
        "in in/out -s 2 -r --exclude out",
        "in in/.small -s 2 -r",
        "in in -s 2 --include *.png --format webp",
        "in/*.png in/out -s 2",
    ],
)
def test_results_in_the_folder_of_the_inputs_that_are_none(dpid, photos, words):
    result = dpid("batch", *words.split(), "-m", "box")
    assert (result.exit_code, result.stderr) == (0, "")
    again = dpid("batch", *words.split(), "-m", "box", "--skip-existing", "--json")
    assert json.loads(again.stdout)["done"] == 0
