"""dpid batch: which files it takes, what it calls their results, what becomes of each."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageSequence

import dpid_cli
from dpid_cli.batching import inventory
from dpid_cli.batching.globs import compiled
from dpid_cli.batching.selection import Rules, Tree
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.files import storage
from support.command import DPID, is_one_error_line, listing, pixels, process
from support.folders import lines, make


def files(folder: Path | str) -> list[str]:
    """Paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


@pytest.fixture
def photos(folder: Path) -> Path:
    """Some pictures in ``in``, one of them in a folder."""
    for name in "a.png", "b.jpg", "sub/c.png", "sub/deep/d.PNG", ".hidden.png", ".cache/e.png":
        make(folder / "in" / name)
    (folder / "in" / "notes.txt").write_text("no picture")
    return folder


# Which files are inputs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("in", "a.png b.jpg"),
        ("in/", "a.png b.jpg"),
        ("in -r", "a.png b.jpg sub/c.png sub/deep/d.PNG"),
        ("in -r --hidden", ".cache/e.png .hidden.png a.png b.jpg sub/c.png sub/deep/d.PNG"),
        ("in -r --include *.png", "a.png sub/c.png sub/deep/d.PNG"),
        ("in -r --include sub/*", "sub/c.png"),
        ("in -r --include sub/**", "sub/c.png sub/deep/d.PNG"),
        ("in -r --include a.* --include d.*", "a.png sub/deep/d.PNG"),
        ("in -r --exclude *.jpg --exclude deep", "a.png sub/c.png"),
        ("in -r --exclude sub/**", "a.png b.jpg"),
        ("in/*.png", "a.png"),
        ("in/[!a]*.jpg", "b.jpg"),
        ("in/*/*.png", "sub/c.png"),
        ("in/**/*.png", "a.png sub/c.png"),
        ("in/*.png -r", "a.png sub/c.png"),
        ("in/s*/**", "sub/c.png sub/deep/d.PNG"),
        ("in/a.png in/sub/c.png", "a.png c.png"),
        ("in/a.png in/sub", "a.png c.png"),
        ("in in/sub/../a.png", "a.png b.jpg"),
    ],
)
def test_selection(dpid, photos, words, expected):
    result = dpid("batch", *words.split(), "out", "-s", "2", "-m", "box")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == sorted(expected.split())


def test_explicit_patterns_take_any_file(dpid, photos):
    result = dpid("batch", "in", "out", "-s", "2", "-m", "box", "--include", "*", "--json")
    assert (result.exit_code, files("out")) == (1, ["a.png", "b.jpg"])
    assert json.loads(result.stdout)["failed"] == 1 and "notes.txt: not an image" in result.stderr
    result = dpid("batch", "in", "new", "-s", "2", "-m", "box", "--json")
    assert json.loads(result.stdout)["ignored"] == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("source", ["list", "-"])
def test_lists(dpid, photos, end, source):
    names = [
        b"in/a.png",
        b"in/sub/c.png",
        b"",
        b"./in/b.jpg",
        b"in/a.png",
        bytes(photos / "in" / ".hidden.png"),
    ]
    (photos / "list").write_bytes(end.join(names))
    words = ("batch", "--from-file", source, "out", "-s", "2", "-m", "box")
    result = dpid(*words, stdin=(photos / "list").read_bytes() if source == "-" else None)
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == [".hidden.png", "in/a.png", "in/b.jpg", "in/sub/c.png"]
    result = dpid(*words, "--root", "in", "--name", "x{stem}{ext}", stdin=(photos / "list").read_bytes())
    assert files("out")[-4:] == ["sub/xc.png", "x.hidden.png", "xa.png", "xb.jpg"]


def test_the_mark_of_utf_8_before_a_list_is_no_part_of_a_path(dpid, photos):
    (photos / "list").write_text("in/a.png\nin/b.jpg\n", encoding="utf-8-sig")
    assert dpid("batch", "--from-file", "list", "out", "-s", "2", "-m", "box").exit_code == 0
    assert files("out") == ["in/a.png", "in/b.jpg"]


def test_paths_in_a_list_that_are_not_in_the_root(dpid, photos):
    make("other/z.png")
    Path("list").write_text("in/a.png\nother/z.png\n")
    result = dpid("batch", "--from-file", "list", "--root", "in", "out", "-s", "2", "--report", "r.jsonl")
    assert result.exit_code == 1 and result.stderr.startswith("other/z.png: not in in: ")
    assert lines("r.jsonl")["other/z.png"]["status"] == "failed"


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.png", b"new\nline.png", b" spaces\t.png", b"-n.png", b"{stem}.png"]
)
def test_odd_names(folder, name):
    make("in/a.png").rename(folder / "in" / os.fsdecode(name))
    (folder / "list").write_bytes(b"in/" + name + b"\0")
    done = process(
        "batch", "--from-file", "list", "out", "-s", "2", "-m", "box", "--report", "r.jsonl", cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.listdir(b"out/in") == [name]
    assert list(map(os.fsencode, lines("r.jsonl"))) == [b"in/" + name]


def test_loops_of_links(dpid, photos):
    (photos / "in" / "sub" / "back").symlink_to(photos / "in")
    (photos / "in" / "self").symlink_to("self")
    (photos / "in" / "self.png").symlink_to("self.png")
    (photos / "in" / "gone.png").symlink_to("nowhere.png")
    (photos / "in" / "other").symlink_to("sub", target_is_directory=True)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box", "--json")
    found = json.loads(result.stdout)
    assert (found["failed"], result.exit_code) == (2, 1)  # the two links that lead to no file
    assert files("out") == [
        "a.png", "b.jpg", "other/c.png", "other/deep/d.PNG", "sub/c.png", "sub/deep/d.PNG"
    ]  # fmt: skip


def test_folder_that_cannot_be_read_is_told(dpid, photos, monkeypatch):
    """Rights do not stop root: the system's answer is made up."""
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(storage.os, "scandir", scandir)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box", "--report", "r.jsonl")
    assert (result.exit_code, files("out")) == (1, ["a.png", "b.jpg", "sub/c.png"])
    assert result.stderr.startswith("in/sub/deep: cannot be read: permission denied: ")
    assert lines("r.jsonl")["in/sub/deep"]["status"] == "failed"


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.png", "a.png .png", "a.jpg a/b.png a.pngx"),
        ("**/*.png", "a.png x/a.png x/y/a.png", "a.jpg"),
        ("a/**", "a/b a/b/c", "a b/a"),
        ("a/**/z", "a/z a/b/z a/b/c/z", "z az a/zz"),
        ("x?[0-9]", "xa1", "x/1 xab xa"),
        ("[!a]b", "cb", "ab /b"),
        ("[]]a[[]", "]a[", "a"),
        ("a+(b).c$", "a+(b).c$", "aab.c"),
        ("[", "[", "a"),
        ("**", "a a/b", ""),
    ],
)
def test_patterns(pattern, yes, no):
    assert [path for path in yes.split() if not compiled(pattern).match(path)] == []
    assert [path for path in no.split() if compiled(pattern).match(path)] == []


# Names of results


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
        ("in in/sub/out -r -s 2", "lie among the inputs"),
        ("in . -r -s 2 --name in/new/{stem}{ext}", "lie among the inputs"),
        ("in in -s 2 --name {stem}_small{ext}", "lie among the inputs"),
        ("in link -s 2 --overwrite --name x{stem}{ext}", "lie among the inputs"),
        ("in out -s 2 -r --hr in/hr", "lie among the inputs"),
        ("in/*.png in -s 2 --name x{stem}{ext}", "lie among the inputs"),
        ("in/a.png in -s 2 --overwrite", "is an input"),
        ("in out -s 2 --hr out", "two results of in/"),
        ("in/a.png in -s 2 --name {stem}.PNG", "is an input"),
        ("--from-file list . -s 2 --overwrite", "is an input"),
        ("linked in -s 2 --overwrite", "is an input"),
        ("in in/sub out -r -s 2", "results would be called sub/c.png and c.png: give it only once"),
        ("in ./in/sub/../sub/c.png out -r -s 2", "results would be called sub/c.png and c.png"),
        ("--from-file - out -s 2", "results would be called in/a.png and a.png"),
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


def test_takes_is_what_inputs_yields(photos):
    for rules in Rules(), Rules(hidden=True), Rules(include=("sub/*",)), Rules(exclude=("deep",)):
        for recursive, pattern in ((False, None), (True, None), (False, "**/*.png"), (False, "*/*")):
            tree = Tree("in", rules, recursive, pattern)
            found = {found.name for found in tree.inputs()}
            assert found == {name for name in files("in") if tree.takes(str(photos / "in" / name))}


# What is done


def test_folder_of_horrors(dpid, folder, monkeypatch):
    good = [make("in/good.png"), make("in/dup.png"), make("in/dup.jpg"), make("in/sub/dup.png", (60, 41))]
    good.append(make("in/fine.tif"))
    data = good[0].read_bytes()
    bad = {
        "cut.png": data[: len(data) // 2],
        "empty.jpg": b"",
        "text.png": b"not a picture\n",
        "zeros.gif": bytes(1000),
        # A header that promises 40,000 x 40,000 pixels.
        "huge.ppm": b"P6 40000 40000 255\n",
    }
    for name, content in bad.items():
        (folder / "in" / name).write_bytes(content)
    os.mkfifo("in/pipe.png")
    Path("in/unreadable.png").symlink_to("/proc/self/mem")
    Path("in/readme.txt").write_text("left alone")
    result = dpid("batch", "in", "out", "-r", "-s", "2", "--report", "r.jsonl", "--json")
    summary, told = json.loads(result.stdout), lines("r.jsonl")
    assert result.exit_code == 1
    assert [summary[key] for key in ("inputs", "done", "skipped", "failed", "remaining", "ignored")] == [
        12, 5, 0, 7, 0, 1,
    ]  # fmt: skip
    assert Counter(line["status"] for line in told.values()) == {"done": 5, "failed": 7}
    assert {Path(name).name for name, line in told.items() if line["error"]} == {
        *bad, "pipe.png", "unreadable.png"
    }  # fmt: skip
    assert len(result.stderr.splitlines()) == 7
    assert all(is_one_error_line(line + "\n") for line in result.stderr.splitlines())
    assert files("out") == sorted(str(path).removeprefix("in/") for path in good)
    for path in good:
        single = Path("single") / path.name
        assert (
            dpid("downscale", str(path), "-s", "2", "-o", str(single), "--overwrite").exit_code == 0 or True
        )
        Path("single").mkdir(exist_ok=True)
        assert dpid("downscale", str(path), "-s", "2", "-o", str(single), "--overwrite").exit_code == 0
        assert single.read_bytes() == Path("out", path.relative_to("in")).read_bytes()


def test_unforeseen_errors_are_failures_of_their_image(dpid, photos, monkeypatch):
    apply = Recipe.apply

    def broken(self, picture, size, name):
        if "b.jpg" in name:
            raise ZeroDivisionError("oops")
        return apply(self, picture, size, name)

    monkeypatch.setattr(Recipe, "apply", broken)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box")
    assert (result.exit_code, files("out")) == (1, ["a.png", "sub/c.png", "sub/deep/d.PNG"])
    assert result.stderr == "in/b.jpg: internal error: ZeroDivisionError: oops: report it\n"


def test_debug_shows_where_a_file_failed(photos):
    Path("in/a.png").write_bytes(b"")
    done = process("batch", "in", "out", "-s", "2", "-m", "box", "--debug", cwd=photos)
    assert done.returncode == 1 and done.stderr.startswith(b"Traceback (most recent call last):\n")
    assert done.stderr.splitlines()[-1].startswith(b"in/a.png: not an image")


@pytest.mark.parametrize(
    "words",
    [
        "--depth 16",
        "--to-srgb",
        "--transparency drop --background red",
        "--linear",
        "--transparency separate",
    ],
)
def test_options_of_colour(dpid, folder, words):
    """Results are those of 'dpid downscale'; what keeps its size is treated alike."""
    noise = np.random.default_rng(5).integers(0, 256, (30, 40, 4), np.uint8)
    make("in/a.png").unlink()
    Image.fromarray(noise).save("in/a.png")
    assert dpid("batch", "in", "out", "-s", "2", "--hr", "hr", *words.split()).exit_code == 0
    assert dpid("downscale", "in/a.png", "-s", "2", "-o", "one.png", *words.split()).exit_code == 0
    assert Path("out/a.png").read_bytes() == Path("one.png").read_bytes()
    assert dpid("downscale", "in/a.png", "-s", "1", "-o", "same.png", *words.split()).exit_code == 0
    with Image.open("hr/a.png") as high, Image.open("same.png") as same:
        assert (high.mode, high.size, high.info.get("icc_profile")) == (
            same.mode, same.size, same.info.get("icc_profile")
        )  # fmt: skip
    if words == "--linear":
        assert Path("hr/a.png").read_bytes() == Path("in/a.png").read_bytes()


def test_pairs_fit(dpid, folder):
    """Every LR is made of the HR beside it, whose sides are multiples."""
    exif = Image.Exif()
    exif[0x112] = 8
    make("in/a.png", (61, 50), exif=exif)
    make("in/b.png", (48, 36))
    make("in/sub/c.jpg", (37, 49))
    make("in/tiny.png", (11, 40))
    words = "in lr -r -s 2 -s 3 -s 4 --multiple-of 12 --hr hr --format png --if-smaller skip --report r.jsonl"
    result = dpid("batch", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("hr") == ["a.png", "b.png", "sub/c.png"]
    assert pixels("hr/a.png").shape == (60, 48, 3)  # upright, then cropped
    with Image.open("in/a.png") as image:
        np.testing.assert_array_equal(pixels("hr/a.png"), np.rot90(np.array(image))[:60, :48])
    for name in files("hr"):
        high = pixels(Path("hr", name))
        for scale in 2, 3, 4:
            low = pixels(f"lr/x{scale}/{name}")
            assert [side * scale for side in low.shape[:2]] == list(high.shape[:2])
            np.testing.assert_array_equal(low, dpid_cli.downscale(high, scale=scale))
    assert Path("hr/b.png").read_bytes() == Path("in/b.png").read_bytes()
    line = lines("r.jsonl")["in/a.png"]
    assert line["outputs"] == ["lr/x2/a.png", "lr/x3/a.png", "lr/x4/a.png", "hr/a.png"]
    assert line["input_size"] == [50, 61] and line["output_sizes"][2:] == [[12, 15], [48, 60]]
    assert line["methods"] == ["dpid"] * 3 + [None] and line["parameters"][0]["lambda"] == 1
    skipped = lines("r.jsonl")["in/tiny.png"]
    assert (skipped["status"], skipped["outputs"]) == ("skipped", [])
    assert "smaller than --multiple-of 12" in skipped["reason"]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.tif"])
def test_what_is_stored_in_another_orientation_is_turned_for_hr(dpid, folder, name):
    """By 180 degrees, so that sizes tell nothing of it."""
    exif = Image.Exif()
    exif[0x112] = 3
    stored = pixels(make("a.png"))
    stored = stored[..., 0] * np.uint16(257) if name == "deep.tif" else stored
    (folder / "in").mkdir()
    Image.fromarray(stored).save(f"in/{name}", exif=exif)
    assert dpid("batch", "in", "lr", "-s", "2", "--hr", "hr").exit_code == 0
    with Image.open(f"hr/{name}") as image:
        assert image.getexif().get(0x112, 1) == 1
        if name != "a.jpg":
            np.testing.assert_array_equal(np.asarray(image), stored[::-1, ::-1])


def test_pages_that_are_turned(dpid, folder):
    exif = Image.Exif()
    exif[0x112] = 3
    first, second = (Image.fromarray(pixels(make(name))) for name in ("a.png", "b.png"))
    second.encoderinfo = {"exif": exif}
    (folder / "in").mkdir()
    first.save("in/pages.tif", save_all=True, append_images=[second])
    assert dpid("batch", "in", "lr", "-s", "2", "--hr", "hr").exit_code == 0
    np.testing.assert_array_equal(frames_of("hr/pages.tif")[1], pixels("b.png")[::-1, ::-1])


def test_several_results_of_one_decoded_picture(dpid, photos, monkeypatch):
    sequence, read = Recipe.sequence, []
    monkeypatch.setattr(
        Recipe, "sequence", lambda self, stream, name: read.append(name) or sequence(self, stream, name)
    )
    words = "in out -s 2 -s 3 -m box -m max --hr hr --multiple-of 2"
    assert dpid("batch", *words.split()).exit_code == 0
    assert sorted(read) == ["in/a.png", "in/b.jpg"] and len(files("out") + files("hr")) == 10


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("--width 20", 1, {"large.png": (20, 15)}),
        ("--width 20 --if-smaller skip", 0, {"large.png": (20, 15)}),
        ("--width 20 --if-smaller copy", 0,
         {"large.png": (20, 15), "small.png": (16, 12), "small.jpg": (16, 12)}),
        ("-s 2 --min-size 16x13", 0, {"large.png": (20, 15)}),
        ("-s 2 --min-size 12", 0, {"large.png": (20, 15), "small.png": (8, 6), "small.jpg": (8, 6)}),
        ("-s 2 --min-size 17 --if-smaller error", 1, {"large.png": (20, 15)}),
        ("-s 2 --min-size 16 --if-smaller copy --metadata strip", 0,
         {"large.png": (20, 15), "small.png": (16, 12), "small.jpg": (16, 12)}),
    ],
)  # fmt: skip
def test_small_inputs(dpid, folder, words, code, expected):
    make("in/large.png", (40, 30))
    for name in "small.png", "small.jpg":
        make(f"in/{name}", (16, 12), dpi=(72, 72))
    result = dpid("batch", "in", "out", *words.split(), "--json")
    assert result.exit_code == code
    assert {name: pixels(Path("out", name)).shape[1::-1] for name in files("out")} == expected
    missing = 3 - len(expected)
    assert json.loads(result.stdout)["failed" if code else "skipped"] == missing
    if "copy" in words:  # byte for byte, unless something is to be taken away
        same = Path("in/small.jpg").read_bytes() == Path("out/small.jpg").read_bytes()
        assert same == ("strip" not in words)


def test_encoder_options_go_to_the_formats_that_have_them(dpid, folder):
    make("in/a.png", (60, 40))
    make("in/b.jpg", (60, 40))
    assert dpid("batch", "in", "out", "-s", "2").exit_code == 0
    assert dpid("batch", "in", "new", "-s", "2", "--quality", "30").exit_code == 0
    assert Path("new/a.png").read_bytes() == Path("out/a.png").read_bytes()
    assert Path("new/b.jpg").stat().st_size < Path("out/b.jpg").stat().st_size
    assert dpid("batch", "in", "x", "-s", "2", "--quality", "30", "--format", "png").exit_code == 2


def test_existing_results(dpid, photos):
    make("out/a.png")
    before = Path("out/a.png").read_bytes()
    words = ("batch", "in", "out", "-s", "2", "-m", "box", "--json")
    result = dpid(*words)
    assert (result.exit_code, Path("out/a.png").read_bytes()) == (1, before)
    assert result.stderr.startswith("out/a.png: exists already: ")
    result = dpid(*words, "--skip-existing", "--report", "r.jsonl")
    assert json.loads(result.stdout)["skipped"] == 2 and Path("out/a.png").read_bytes() == before
    assert lines("r.jsonl")["in/a.png"]["outputs"] == ["out/a.png"]
    result = dpid(*words, "--overwrite")
    assert json.loads(result.stdout)["done"] == 2 and Path("out/a.png").read_bytes() != before


def test_skip_existing_makes_what_is_missing_of_several(dpid, photos):
    words = ("batch", "in/a.png", "out", "-s", "2", "-s", "3", "--json")
    assert dpid(*words).exit_code == 0
    Path("out/x3/a.png").unlink()
    kept = Path("out/x2/a.png").stat()
    result = dpid(*words, "--skip-existing")
    assert json.loads(result.stdout)["done"] == 1 and files("out") == ["x2/a.png", "x3/a.png"]
    assert Path("out/x2/a.png").stat().st_ino == kept.st_ino


def test_dry_run_names_only_what_is_missing(dpid, photos):
    make("out/x2/a.png")
    result = dpid("batch", "in/a.png", "out", "-s", "2", "-s", "3", "--skip-existing", "-n")
    assert result.exit_code == 0 and "in/a.png: would be made: out/x3/a.png\n" in result.stdout


@pytest.mark.parametrize("format_", ["jpeg", "webp", "gif", "pgm", "bmp", "png", "tiff"])
def test_dry_run_tells_what_the_format_cannot_hold(dpid, folder, format_):
    noise = np.random.default_rng(2).integers(1, 255, (12, 16, 4), np.uint8)
    Path("in").mkdir()
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"):
        image = Image.fromarray(noise[..., 0] * np.uint16(257)) if mode == "I;16" else None
        image = image or Image.fromarray(noise).convert("L" if mode == "F" else mode).convert(mode)
        image.save(f"in/{mode.replace(';', '')}.tif")
    Image.fromarray(noise).save("in/alpha.png")
    Image.fromarray(noise | np.uint8([0, 0, 0, 255])).save("in/opaque.png")
    words = ("batch", "in", format_, "-s", "2", "-m", "box", "--format", format_, "--json")
    dry, wet = dpid(*words, "-n"), dpid(*words)
    told, done = json.loads(dry.stdout), json.loads(wet.stdout)
    assert (told["done"], told["failed"]) == (done["done"], done["failed"])
    refused = [{line for line in run.stderr.splitlines() if " holds no " in line} for run in (dry, wet)]
    assert refused[0] == refused[1]


def test_dry_run_tells_of_depths_that_the_format_cannot_hold(dpid, folder):
    gray = pixels(make("a.png"))[..., 0]
    (folder / "in").mkdir()
    Image.fromarray(gray * np.uint16(257)).save("in/deep.png")
    Image.fromarray(gray * np.uint16(257)).save("in/deeper.tif")
    Image.fromarray(gray / np.float32(255)).save("in/floats.tif")
    for format_, failed in ("jpeg", 3), ("png", 1), ("tiff", 0):
        words = ("batch", "in", format_, "-s", "2", "--format", format_, "--json")
        dry, wet = dpid(*words, "-n"), dpid(*words)
        assert json.loads(dry.stdout)["failed"] == json.loads(wet.stdout)["failed"] == failed
        assert dry.stderr.count(" holds no ") == failed
    result = dpid("batch", "in", "new", "-s", "2", "--format", "jpeg", "--depth", "8", "-n", "--json")
    assert json.loads(result.stdout)["failed"] == 0


@pytest.mark.parametrize("words", ["-n", "-n --json -q", "--dry-run -v --report r.jsonl"])
def test_dry_run_writes_nothing(dpid, photos, words):
    before = listing(photos)
    result = dpid("batch", "in", "out", "-s", "2", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert ("in/a.png: would be made: out/a.png\n" in result.stdout) == ("-q" not in words)
    assert listing(photos) == before


def test_dry_run_tells_what_the_run_does(dpid, photos):
    make("in/small.png", (3, 3))
    make("out/exists.png")
    make("in/exists.png")
    make("in/sub/exists.png")
    make("out/sub/exists.png")
    (photos / "in" / "empty.png").touch()
    (photos / "in" / "text.png").write_text("text")
    for more in ["--skip-existing"], []:
        words = ("batch", "in", "out", "-r", "--width", "4", "--if-smaller", "skip", "--json", *more)
        dry = dpid(*words, "--dry-run")
        wet = dpid(*words, "--report", f"{len(more)}.jsonl")
        keys = ("inputs", "done", "skipped", "failed")
        assert [json.loads(dry.stdout)[key] for key in keys] == [json.loads(wet.stdout)[key] for key in keys]
        told = lines(f"{len(more)}.jsonl")
        expected = {
            name: line["error"] or line["reason"] or line["outputs"][0] for name, line in told.items()
        }
        assert len(expected) == 9
        for line in dry.stderr.splitlines():
            name = next(name for name in expected if line.startswith((f"{name}: ", expected[name])))
            assert expected.pop(name) in line
        assert expected == {}
        for path in files("out"):
            if "exists" not in path:
                Path("out", path).unlink()


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
        ("in out -s 2 --name a{ext}", "give a name with {stem}"),
        ("in out -s 2 --name /{stem}", "give a name with {stem}"),
        ("in out -s 2 --name ../{stem}{ext}", "leads out"),
        ("in out -s 2 --name {stem", "write {{"),
        ("in out --width 2 --name {stem}{scale}{ext}", "goes with -s"),
        ("in out -s 2 -m box --lambda 2", "no such parameter"),
        ("in out -s 2 -m box -m max --lambda 2", "none of these methods has it"),
        ("in out -s 2 --overwrite --skip-existing", "contradicts"),
        ("in out -s 2 --resume", "give --report"),
        ("in out -s 2 --root in", "goes with --from-file"),
        ("in out -s 2 --from-file x", "takes the place of INPUT"),
        ("--from-file missing out -s 2", "cannot be read"),
        ("--from-file x out -s 2 -r", "taken as it is"),
        ("in out -s 2 --retry-failed missing", "cannot be read"),
        ("in out -s 2 --report in/notes.txt", "exists already"),
        ("in out -s 2 --report in/notes.txt -n", "exists already"),
        ("in out -s 2 --report in", "is a folder"),
        ("in out -s 2 --report in/a.png --overwrite", "this is an input, which is never overwritten"),
        ("in out -s 2 --report IN/../in/A.png", "this is an input, which is never overwritten"),
        ("in out -s 2 --report more/link --overwrite", "this is an input, which is never overwritten"),
        ("in out -s 2 --report out/a.png", "a result would become this"),
        ("in out -s 2 --report in/r.jsonl --include *", "among the inputs"),
        ("--from-file more/list out -s 2 --report more/../more/list --overwrite", "this is the list"),
        ("in out -s 2 --report more/fifo --resume", "not a report"),
        ("in out -s 2 --retry-failed more/fifo", "not a report"),
        ("in out/x -s 2 --report out", "results lie there"),
        ("in out -s 2 --hr hr --report ./hr", "results lie there"),
        ("in EMPTY -s 2", "an empty path"),
        ("in out -s 2 --report EMPTY", "--report: an empty path"),
        ("in out -s 2 --hr EMPTY", "--hr: an empty path"),
        ("in in/notes.txt -s 2", "OUTPUT_DIR: in/notes.txt: it is no folder"),
        ("in in/notes.txt -s 2 -n", "OUTPUT_DIR: in/notes.txt: it is no folder"),
        ("in out -s 2 --hr in/notes.txt -n", "--hr: in/notes.txt: it is no folder"),
        ("in out -s 2 --report in/notes.txt --resume", "not a report"),
        ("in out -s 2 --include [z-a]", "not a pattern"),
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
        assert "out/x2/sub: not a directory: choose another output" in told
        assert all(is_one_error_line(line + "\n") for line in told)


def test_folders_that_are_read_only(dpid, photos, monkeypatch):
    """Rights do not stop root: the system's answer is made up."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != Path() and access(path, mode))
    for more in (), ("-n",):
        result = dpid("batch", "in", "out", "-s", "2", *more)
        assert result.exit_code == 1 and ".: no file can be made there: it is read-only: " in result.stderr


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
    scratch = "PRAGMA max_page_count = 20; PRAGMA cache_size = 1;"
    monkeypatch.setattr("dpid_cli.batching.inventory._TABLES", scratch + inventory._TABLES)
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
        r"done 2, skipped 0, failed 1, no pictures 1, in [\d.]+ s \([\d.]+ files/s, [\d.]+ MP/s\)\n",
        result.stdout,
    )
    assert is_one_error_line(result.stderr)
    assert dpid(*words, "-q").stdout == ""
    loud = dpid(*words, "-v").stderr.splitlines()
    assert len(loud) == 3 and "in/a.png: done: out/a.png" in loud


# The library


def test_library(folder):
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(6)]
    seen = []

    def lazily():
        for pair in pairs:
            seen.append(pair)
            yield pair
        yield "missing.png", "out/missing.png"

    results = dpid_cli.batch(lazily(), scale=2, method="dpp", alpha=0.1, workers=1, pending=2, depth="16")
    first = next(results)
    assert (first.status, first.outputs, first.output_sizes) == ("done", (str(pairs[0][1]),), ((4, 3),))
    assert len(seen) <= 3
    rest = list(results)
    assert Counter(result.status for result in rest) == {"done": 5, "failed": 1}
    rest.sort(key=lambda result: result.status)
    assert rest[-1].error.startswith("missing.png: cannot be read: ")
    for source, target in pairs:
        deep = pixels(source) * np.uint16(257)
        expected = dpid_cli.downscale(deep, scale=2, method="dpp", alpha=0.1)
        np.testing.assert_array_equal(imagecodecs.imread(target), expected)


def test_library_replaces_no_input_by_its_result(folder):
    before = make("a.png").read_bytes()
    (result,) = dpid_cli.batch([("a.png", "./a.png")], scale=2, overwrite=True)
    assert (result.status, Path("a.png").read_bytes()) == ("failed", before)
    assert "never overwritten" in result.error


def test_library_stops_when_nobody_wants_more(folder):
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(20)]
    results = dpid_cli.batch(pairs, scale=2, workers=1, pending=2)
    next(results)
    results.close()
    assert 1 <= len(files("out")) <= 3


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"scale": 2, "size": (1, 1)},
        {"scale": 0.5},
        {"scale": 2, "method": "x"},
        {"scale": 2, "workers": 0},
        {"scale": 2, "x": 1},
        {"scale": 2, "depth": 9},
    ],
)
def test_library_refuses_arguments_at_once(wrong):
    with pytest.raises(dpid_cli.DpidError):
        dpid_cli.batch(iter(()), **wrong)


def test_any_executor(folder):
    """Work and results travel to other processes; one that dies takes only its own images with it."""
    pairs = [(make(f"in/{k}.png"), folder / "out" / f"{k}.png") for k in range(5)]
    with ProcessPoolExecutor(1) as executor:
        results = list(dpid_cli.batch(pairs, scale=2, executor=executor, chunk=2, guidance="photo"))
        assert [result.status for result in results] == ["done"] * 5
        with pytest.raises(Exception, match="terminated"):
            executor.submit(os._exit, 1).result()
        lost = list(dpid_cli.batch(pairs, scale=2, executor=executor, chunk=2, overwrite=True))
    assert [result.status for result in lost] == ["failed"] * 5
    assert {result.input for result in lost} == {str(source) for source, _ in pairs}
    assert all("its worker failed" in result.error for result in lost)


# Animations and pages


def frames_of(path: Path | str) -> list[np.ndarray]:
    with Image.open(path) as image:
        return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]


@pytest.fixture
def moving(folder: Path) -> list[np.ndarray]:
    """``in/moving.png`` and ``in/pages.tif``, of three pictures each."""
    noise = np.random.default_rng(4).integers(0, 256, (3, 26, 37, 3), np.uint8)
    first, *rest = map(Image.fromarray, noise)
    (folder / "in").mkdir()
    first.save("in/moving.png", save_all=True, append_images=rest, duration=40)
    first.save("in/pages.tif", save_all=True, append_images=[rest[0].crop((0, 0, 20, 20)), rest[1]])
    return list(noise)


def test_every_frame_and_page(dpid, moving):
    words = "in out -s 2 -s 3 --multiple-of 6 --hr hr --report r.jsonl"
    result = dpid("batch", *words.split())
    assert (result.exit_code, result.stderr) == (0, "")
    for name, scale in itertools.product(("moving.png", "pages.tif"), (2, 3)):
        high, low = frames_of(f"hr/{name}"), frames_of(f"out/x{scale}/{name}")
        assert len(high) == len(low) == 3
        for k, (large, small) in enumerate(zip(high, low, strict=True)):
            shown = moving[k][:20, :20] if (name, k) == ("pages.tif", 1) else moving[k]
            height, width = (side - side % 6 for side in shown.shape[:2])
            np.testing.assert_array_equal(large, shown[:height, :width])
            np.testing.assert_array_equal(small, dpid_cli.downscale(large, scale=scale))
    assert {line["frames"] for line in lines("r.jsonl").values()} == {3}


def test_one_frame_of_each(dpid, moving):
    result = dpid("batch", "in", "out", "-s", "2", "--frame", "-1", "--format", "png", "--hr", "hr")
    assert (result.exit_code, result.stderr) == (0, "")
    for name in "moving.png", "pages.png":
        (low,), (high,) = frames_of(f"out/{name}"), frames_of(f"hr/{name}")
        np.testing.assert_array_equal(high, moving[2])
        np.testing.assert_array_equal(low, dpid_cli.downscale(high, scale=2))


def test_formats_that_hold_one_picture(dpid, moving):
    """Told by a dry run, too."""
    for more in ["-n"], []:
        result = dpid("batch", "in", "out", "-s", "2", "--format", "jpeg", "--json", *more)
        assert (result.exit_code, json.loads(result.stdout)["failed"]) == (1, 2)
        assert result.stderr.count("or give --frame N") == 2
    assert not Path("out").exists()


def test_pages_that_are_smaller(dpid, moving):
    result = dpid("batch", "in/pages.tif", "out", "--width", "30", "--if-smaller", "copy")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, third = frames_of("out/pages.tif")
    np.testing.assert_array_equal(first, dpid_cli.downscale(moving[0], size=(30, 21)))
    np.testing.assert_array_equal(second, moving[1][:20, :20])
    np.testing.assert_array_equal(third, dpid_cli.downscale(moving[2], size=(30, 21)))
    result = dpid("batch", "in/pages.tif", "new", "--width", "30")
    assert result.exit_code == 1 and "in/pages.tif: page 1: " in result.stderr


@pytest.mark.parametrize("turned", [1, 3, 6])
@pytest.mark.parametrize(
    "extension", ["png", "jpg", "webp", "tif", "avif", "gif", "bmp", "ppm", "pgm", "jp2", "tga", "qoi", "ico"]
)
def test_headers_tell_the_size_of_the_upright_picture(folder, extension, turned):
    """Names and dry runs go by them."""
    source = make("a.png", (24, 16))
    exif = Image.Exif()
    exif[0x112] = turned
    with Image.open(source) as image:
        image.convert("L" if extension == "pgm" else "RGB").save(f"b.{extension}", exif=exif)
    recipe = Recipe(SizeRequest("scale", 2.0))
    Image.fromarray(pixels("a.png")[..., 0] * np.uint16(257)).save("deep.tif", exif=exif)
    for name in "a.png", f"b.{extension}", "deep.tif":
        with storage.opened(name) as stream:
            size = recipe.read_size(stream, name)
            assert size == recipe.read(stream, name).size
