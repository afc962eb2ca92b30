"""Pixels that are not square, against OpenCV's means of areas and sizes by hand."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.command import is_one_error_line, pixels
from support.folders import frames_of, lines


def save(
    path: str, dpi: tuple[float, float] | None = None, size: tuple[int, int] = (300, 200), **more
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    options = {"dpi": dpi} if dpi else {}
    Image.fromarray(noise).save(path, **options, **more)


@pytest.mark.parametrize(
    ("dpi", "words", "expected"),
    [
        ((204, 98), "-s 1", (144, 200)),  # 300 * 98 / 204
        ((204, 98), "-s 2", (72, 100)),
        ((98, 204), "-s 2", (150, 48)),
        ((204, 98), "--width 72", (72, 100)),
        ((204, 98), "--longest 100", (72, 100)),
        ((204, 98), "--percent 25", (36, 50)),
        ((204, 98), "--size 50x60 --fit exact", (50, 60)),
        ((204, 98), "--size 36x1000 --if-smaller copy", (36, 50)),
        ((204, 98), "--width 250 --if-smaller copy", (144, 200)),
        ((72, 72), "-s 2", (150, 100)),
        (None, "-s 2", (150, 100)),
    ],
)
@pytest.mark.parametrize("ending", ["tif", "png"])
def test_sizes_and_means(dpid, folder, ending, dpi, words, expected):
    save(f"a.{ending}", dpi)
    given = ("-m", "box", *words.split(), "--square-pixels")
    result = dpid("downscale", f"a.{ending}", *given, "-o", f"o.{ending}", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["input_size"], told["output_size"]) == ([300, 200], list(expected))
    made = pixels(f"o.{ending}")
    means = cv2.resize(pixels(f"a.{ending}"), expected, interpolation=cv2.INTER_AREA)
    assert made.shape == means.shape and np.abs(made - means.astype(int)).max() <= 1
    with Image.open(f"o.{ending}") as image:
        if dpi is not None:
            assert image.info["dpi"] == pytest.approx((min(dpi), min(dpi)), abs=0.02)
    assert dpid("batch", f"a.{ending}", "out", *given, "--report", "r.jsonl").exit_code == 0
    assert Path(f"out/a.{ending}").read_bytes() == Path(f"o.{ending}").read_bytes()
    (line,) = lines().values()
    assert (line["input_size"], line["output_sizes"]) == ([300, 200], [list(expected)])


def test_turned_images(dpid, folder):
    """The sides of the resolution turn with the image."""
    exif = Image.Exif()
    exif[0x112] = 6  # stored on its side
    save("a.jpg", (204, 98), exif=exif)
    assert dpid("downscale", "a.jpg", "-s", "2", "--square-pixels", "-o", "o.png").exit_code == 0
    assert pixels("o.png").shape == (72, 100, 3)


def test_animations(dpid, folder):
    """Later frames have the size of the first."""
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue", "lime")]
    frames[0].save("a.png", save_all=True, append_images=frames[1:], dpi=(200, 100))
    assert dpid("downscale", "a.png", "-s", "2", "--square-pixels", "-o", "o.png").exit_code == 0
    made = frames_of("o.png")
    assert [frame.shape for frame in made] == [(20, 15, 3)] * 3
    assert [tuple(frame[5, 5]) for frame in made] == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]


def test_names_and_dry_runs_know_the_size(dpid, folder):
    Path("in").mkdir()
    save("in/a.png", (200, 100))
    words = (
        "batch",
        "in",
        "out",
        "--width",
        "60",
        "--square-pixels",
        "--name",
        "{stem}-{width}x{height}{ext}",
    )
    assert dpid(*words, "-n").stdout.splitlines()[0] == "in/a.png: would write: out/a-60x80.png"
    assert dpid(*words).exit_code == 0 and pixels("out/a-60x80.png").shape[:2] == (80, 60)


def test_library(folder):
    save("a.tif", (100, 300))
    (result,) = dpid_cli.batch([("a.tif", "o.tif")], scale=2, square_pixels=True, method="box")
    assert result.output_sizes == ((150, 34),)  # the half of 300x67
    with pytest.raises(dpid_cli.ArgumentError, match="square_pixels must be True or False"):
        dpid_cli.batch([], scale=2, square_pixels="yes")


@pytest.mark.parametrize("words", ["--multiple-of 4", "--hr hr"])
def test_crops_keep_pixels(dpid, folder, words):
    save("a.png", (200, 100))
    result = dpid("batch", "a.png", "out", "-s", "2", "--square-pixels", *words.split())
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
