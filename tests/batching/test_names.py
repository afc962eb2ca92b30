"""The names of outputs, and collisions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from dpid_cli.files import storage
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
        ("-s 2 --format webp --name {stem}{source_ext}{ext}", "a.png.webp sub/b.jpg.webp"),
        ("-s 2 --name {parent}-{stem}{ext}", "in-a.png sub/sub-b.jpg"),
        ("-s 2 --name {index}{ext}", "1.png sub/2.jpg"),
        ("-s 2 --name {stem}_{index:03}{ext}", "a_001.png sub/b_002.jpg"),
        ("-s 2 --lambda 0.25 --name {stem}_{lambda}{ext}", "a_0.25.png sub/b_0.25.jpg"),
        ("-s 2 --lambda auto --name {stem}_{lambda}{ext}", "a_auto.png sub/b_auto.jpg"),
        ("-s 2 -m dpp --name {stem}_{method}{lambda}{ext}", "a_dpp1.png sub/b_dpp1.jpg"),
        ("-s 2 --suffix _small", "a_small.png sub/b_small.jpg"),
        ("-s 2 --suffix {x}", "a{x}.png sub/b{x}.jpg"),
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
        ("a.png b.png", "--name {method}{lambda}{parent}{source_ext}{stem}/../x.png"),
        ("sub/x.png other/x.png", "--name ../{stem}{ext}"),
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
        ("in/a.png in -s 2 --name {stem}.png", "is an input"),
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


TWINS = ["Dup.png dup.png", "sub/x.png Sub/x.png", "\u00e9.png e\u0301.png", "STRASSE.png stra\u00dfe.png"]


@pytest.mark.parametrize("names", TWINS)
def test_names_that_differ_only_in_case_are_refused_where_they_are_one_file(dpid, folder, monkeypatch, names):
    for name in names.split():
        make(f"in/{name}")
    assert files("in") == sorted(names.split())  # this file system tells them apart
    words = ("batch", "in", "out", "-r", "-s", "2")
    with monkeypatch.context() as other:
        other.setattr("dpid_cli.files.storage.folds_case", lambda folder: True)
        result = dpid(*words)
        assert (result.exit_code, result.stdout) == (2, "") and is_one_error_line(result.stderr)
        assert not Path("out").exists()
    assert dpid(*words).exit_code == 0
    assert files("out") == files("in")


class Folding:
    """``os.lstat`` of a file system that ignores case."""

    def __init__(self, lstat):
        self.lstat = lstat

    def __call__(self, path):
        names = {str(each).casefold(): each for each in Path(path).parent.iterdir()}
        return self.lstat(names.get(str(path).casefold(), path))


def test_file_systems_that_ignore_case_are_known(folder, monkeypatch):
    """By a file in the folder, or if it has none, by its own name; and by what is above a missing one."""
    make("in/a.png")
    Path("empty").mkdir()
    for name in "in", "empty", "missing/one":
        assert not storage.folds_case(name)
    monkeypatch.setattr("os.lstat", Folding(os.lstat))
    for name in "in", "empty", "missing/one":
        assert storage.folds_case(name)


def test_numbers_of_inputs_do_not_depend_on_shards(dpid, folder):
    for name in "d.png", "b.png", "a.png", "sub/c.png":
        make(f"in/{name}")
    for number in "1", "2", "3":
        words = ("-r", "-s", "2", "--name", "{index}{ext}", "--shard", f"{number}/3")
        assert dpid("batch", "in", "out", *words).exit_code in (0, 2)
    assert files("out") == ["1.png", "2.png", "3.png", "sub/4.png"]
    assert dpid("batch", "in", "whole", *words[:-2]).exit_code == 0
    assert listing(Path("whole")) == listing(Path("out"))
    assert dpid("batch", "in/a.png", "one", "-s", "2").exit_code == 0
    assert Path("one/a.png").read_bytes() == Path("out/1.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-m box --name {stem}{lambda}{ext}", "{lambda}: method box has none: use {method}"),
        ("-m dpid -m max --name {stem}{lambda}{ext}", "{lambda}: method max has none"),
        ("--name {stem:03}{ext}", "{stem} is not known"),
        ("--name {index:x}{ext}", "{index} is not known"),
        ("--name {stem}{ext} --suffix _small", "--suffix: --name already says"),
        ("--suffix /x", "must not contain /"),
    ],
)
def test_names_that_cannot_be(dpid, photos, words, told):
    result = dpid("batch", "in", "out", "-s", "2", *words.split())
    assert (result.exit_code, result.stdout) == (2, "") and told in result.stderr
    assert is_one_error_line(result.stderr)


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX", ".AppleDouble", "sub/@eadir"])
def test_folders_of_small_copies_are_not_entered(dpid, folder, name):
    make("in/a.png")
    make(f"in/{name}/thumb.png")
    assert dpid("batch", "in", "out", "-s", "2", "-r", "--hidden").exit_code == 0
    assert files("out") == ["a.png"]
    assert dpid("batch", f"in/{name}", "own", "-s", "2").exit_code == 0  # as it was asked for
    assert files("own") == ["thumb.png"]
    inside = Path("in", name, "out")
    assert (
        dpid("batch", "in", str(inside), "-s", "2", "-r", "--hidden").exit_code == 0
    )  # no input of the next run
