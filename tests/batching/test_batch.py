"""What dpid batch makes of images."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.files import storage
from support.command import is_one_error_line, pixels, process
from support.folders import files, frames_of, lines, make


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
    rendered = Recipe.rendered

    def broken(self, picture, size, name, part=None):
        if "b.jpg" in name:
            raise ZeroDivisionError("oops")
        return rendered(self, picture, size, name, part)

    monkeypatch.setattr(Recipe, "rendered", broken)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box")
    assert (result.exit_code, files("out")) == (1, ["a.png", "sub/c.png", "sub/deep/d.PNG"])
    assert result.stderr == "in/b.jpg: internal error: ZeroDivisionError: oops: report it\n"


def test_debug_shows_where_a_file_failed(photos):
    Path("in/a.png").write_bytes(b"")
    done = process("batch", "in", "out", "-s", "2", "-m", "box", "--debug", cwd=photos)
    assert done.returncode == 1 and done.stderr.startswith(b"Traceback (most recent call last):\n")
    assert done.stderr.splitlines()[-1].startswith(b"in/a.png: is empty")


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
        ("--width 20 --if-smaller error", 1, {"large.png": (20, 15)}),
        ("--width 20", 0, {"large.png": (20, 15), "small.png": (16, 12), "small.jpg": (16, 12)}),
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
    summary = json.loads(result.stdout)
    assert summary["failed" if code else "skipped"] == missing
    assert summary["copied"] == sum(size == (16, 12) for size in expected.values())
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
        assert result.stderr.count("or use --frame N") == 2
    assert not Path("out").exists()


def test_pages_that_are_smaller(dpid, moving):
    result = dpid("batch", "in/pages.tif", "out", "--width", "30", "--if-smaller", "copy")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, third = frames_of("out/pages.tif")
    np.testing.assert_array_equal(first, dpid_cli.downscale(moving[0], size=(30, 21)))
    np.testing.assert_array_equal(second, moving[1][:20, :20])
    np.testing.assert_array_equal(third, dpid_cli.downscale(moving[2], size=(30, 21)))
    result = dpid("batch", "in/pages.tif", "new", "--width", "30", "--if-smaller", "error")
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
