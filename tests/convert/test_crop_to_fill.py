"""Crops of files: given, or chosen so that an image fills a size."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, ImageSequence

import dpid_cli
from support.command import SAMPLES, is_one_error_line, pixels
from support.folders import lines

WORDS = (
    "centre",
    "north",
    "northeast",
    "east",
    "southeast",
    "south",
    "southwest",
    "west",
    "northwest",
    "detail",
)


def photo(name: str = "photo.png", size: tuple[int, int] = (90, 60)) -> np.ndarray:
    """Even ground, and fine detail at the right."""
    rng = np.random.default_rng(3)
    array = np.full((size[1], size[0], 3), 90, np.uint8)
    array[:, : size[0] // 3] += rng.integers(0, 4, (size[1], size[0] // 3, 3), np.uint8)
    array[5:-5, -25:-10] = rng.integers(0, 255, (size[1] - 10, 15, 3), np.uint8)
    Image.fromarray(array).save(name)
    return array


def outcome(dpid, *words: str) -> dict:
    result = dpid("downscale", "photo.png", "--overwrite", "-o", "out.png", "--json", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def cropped_and_downscaled(array: np.ndarray, crop, size, **options) -> np.ndarray:
    left, top, width, height = crop
    return dpid_cli.downscale(array[top : top + height, left : left + width], size=size, **options)


@pytest.mark.parametrize("size", [(30, 30), (45, 10), (10, 45), (90, 60), (13, 59), (31, 20)])
@pytest.mark.parametrize("gravity", WORDS)
def test_the_size_is_exact_and_the_part_the_largest(dpid, folder, size, gravity):
    array = photo()
    told = outcome(dpid, "--size", "{}x{}".format(*size), "--fit", "fill", "--gravity", gravity)
    left, top, width, height = told["crop"]
    assert tuple(told["output_size"]) == pixels("out.png").shape[1::-1] == size
    # One side is that of the image, and the other the nearest whole number to the aspect ratio.
    assert (width == 90 or height == 60) and 0 <= left <= 90 - width and 0 <= top <= 60 - height
    ratio = Fraction(*size)
    wanted = (60 * ratio, 60) if ratio < Fraction(90, 60) else (90, 90 / ratio)
    assert max(abs(width - wanted[0]), abs(height - wanted[1])) <= Fraction(1, 2)
    np.testing.assert_array_equal(pixels("out.png"), cropped_and_downscaled(array, told["crop"], size))
    if gravity != "detail":
        free = 90 - width, 60 - height
        across = 0 if "west" in gravity else free[0] if "east" in gravity else free[0] // 2
        down = 0 if "north" in gravity else free[1] if "south" in gravity else free[1] // 2
        assert (left, top) == (across, down)


def test_like_other_programs(dpid, folder):
    """The middle is where Pillow crops, to half a pixel."""
    photo()
    for size in ((30, 30), (45, 10), (13, 59)):
        told = outcome(dpid, "--size", "{}x{}".format(*size), "--fit", "fill", "-m", "box")
        with Image.open("photo.png") as image:
            fitted = np.asarray(ImageOps.fit(image, size, Image.Resampling.BOX)).astype(int)
        assert told["crop"][0] > 0 or told["crop"][1] > 0
        assert np.abs(fitted - pixels("out.png")).mean() < 6


@pytest.mark.parametrize(
    ("point", "left"), [("0,0", 0), ("45,30", 15), ("33.4,9", 3), ("60,50", 30), ("80,0", 30), ("999,1", 30)]
)
def test_points(dpid, folder, point, left):
    photo()
    told = outcome(dpid, "--size", "20x20", "--fit", "fill", "--gravity", point)
    assert told["crop"] == [left, 0, 60, 60]


def brute_force(array: np.ndarray, width: int) -> set[int]:
    """The best places for a part as high as the image, by the sum of |dpid - box| at a coarse scale."""
    scale = max(max(array.shape[:2]) / 512, 2)
    dpid, box = (dpid_cli.downscale(array, scale=scale, method=m) / 255 for m in ("dpid", "box"))
    columns = np.abs(dpid - box).sum(axis=(0, 2))
    step = len(columns) / array.shape[1]
    scores = []
    for left in range(array.shape[1] - width + 1):
        low, high = left * step, (left + width) * step
        covers = [max(0.0, min(high, k + 1) - max(low, k)) for k in range(len(columns))]
        scores.append(float(np.dot(covers, columns)))
    best = max(scores)
    return {left for left, score in enumerate(scores) if score >= best * (1 - 1e-4)}


@pytest.mark.parametrize("name", ["photo", "rocket.jpg", "page.png", "chelsea.png", "text.png"])
def test_detail_is_where_brute_force_finds_it(dpid, folder, name):
    if name == "photo":
        photo()
    else:
        with Image.open(SAMPLES / name) as image:
            Image.fromarray(np.asarray(image.convert("RGB"))).save("photo.png")
    array = pixels("photo.png")
    side = min(array.shape[:2])
    if array.shape[0] > array.shape[1]:
        array = array.swapaxes(0, 1)
        Image.fromarray(array).save("photo.png")
    told = outcome(dpid, "--size", f"{side // 4}x{side // 2}", "--fit", "fill", "--gravity", "detail")
    assert told["crop"][0] in brute_force(array, told["crop"][2])


def test_detail_of_nothing_is_the_middle(dpid, folder):
    Image.new("RGB", (90, 60), "gray").save("photo.png")
    assert outcome(dpid, "--size", "9x9", "--fit", "fill", "--gravity", "detail")["crop"] == [15, 0, 60, 60]


def test_detail_sees_no_hidden_colours(dpid, folder):
    """What is transparent counts nothing, whatever its colours."""
    array = photo()
    noisy = np.random.default_rng(4).integers(0, 255, array.shape, np.uint8)
    alpha = np.full((60, 90), 255, np.uint8)
    alpha[:, :50] = 0
    array[:, :50] = noisy[:, :50]
    Image.fromarray(np.dstack([array, alpha])).save("photo.png")
    assert outcome(dpid, "--size", "9x9", "--fit", "fill", "--gravity", "detail")["crop"][0] >= 20


def test_crop(dpid, folder):
    array = photo()
    told = outcome(dpid, "--crop", "10,20,40,30", "-s", "2.5")
    assert (
        told["crop"] == [10, 20, 40, 30]
        and told["output_size"] == [16, 12]
        and told["input_size"] == [90, 60]
    )
    np.testing.assert_array_equal(pixels("out.png"), cropped_and_downscaled(array, told["crop"], (16, 12)))
    told = outcome(dpid, "--crop", " 10.5, 20.25,40.1,30 ", "--width", "16")
    assert told["crop"] == [10.5, 20.25, 40.1, 30] and told["output_size"] == [16, 12]
    expected = dpid_cli.downscale(array, size=(16, 12), crop=(10.5, 20.25, 40.1, 30))
    np.testing.assert_array_equal(pixels("out.png"), expected)
    told = outcome(dpid, "--crop", "10,0,50,60", "--size", "8x8", "--fit", "fill", "--gravity", "south")
    assert told["crop"] == [10, 10, 50, 50]
    told = outcome(dpid, "--crop", "10.5,0,50,60", "--size", "8x8", "--fit", "fill", "--gravity", "35,30")
    assert told["crop"] == [10.5, 5, 50, 50]
    assert outcome(dpid, "-s", "2")["crop"] is None
    result = dpid("downscale", "photo.png", "--crop", "0,0,50,30", "--width", "60", "--if-smaller", "copy")
    assert result.exit_code == 0
    np.testing.assert_array_equal(pixels("photo_50x30.png"), array[:30, :50])


def test_crops_of_transparent_images(dpid, folder):
    """Half of a pixel: like the same image with every pixel four times."""
    rng = np.random.default_rng(5)
    array = rng.integers(0, 256, (40, 50, 4), np.uint8)
    Image.fromarray(array).save("photo.png")
    Image.fromarray(array.repeat(2, axis=0).repeat(2, axis=1)).save("twice.png")
    for more in ((), ("--linear",), ("--transparency", "separate"), ("--transparency", "drop")):
        outcome(dpid, "--crop", "3.5,2.5,40,36", "--size", "10x9", "--fit", "exact", *more)
        words = ("--crop", "7,5,80,72", "--size", "10x9", "--fit", "exact", "-o", "other.png", "--overwrite")
        assert dpid("downscale", "twice.png", *words, *more).exit_code == 0
        assert np.abs(pixels("out.png").astype(int) - pixels("other.png")).max() <= 1


def test_importance(dpid, folder):
    photo()
    mask = np.random.default_rng(6).integers(0, 256, (60, 90), np.uint8)
    Image.fromarray(mask).save("mask.png")
    for crop in ("10,20,40,30", "10.5,20,40,30"):
        outcome(dpid, "--crop", crop, "--size", "16x12", "--fit", "exact", "--importance", "mask.png")
        expected = dpid_cli.downscale(
            pixels("photo.png"), size=(16, 12), crop=tuple(map(float, crop.split(","))), importance=mask / 255
        )
        assert np.abs(pixels("out.png").astype(int) - expected).max() <= 1


def test_animations_keep_one_part(dpid, folder):
    """The first frame decides where the detail is."""
    frames = [photo("1.png"), photo("2.png")[:, ::-1].copy()]
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save("in.png", save_all=True, append_images=images[1:], duration=100)
    words = ("--size", "15x15", "--fit", "fill", "--gravity", "detail", "-o", "out.png", "--json")
    result = dpid("downscale", "in.png", *words)
    crop = json.loads(result.stdout)["crop"]
    with Image.open("out.png") as image:
        read = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    expected = [cropped_and_downscaled(frame, crop, (15, 15)) for frame in frames]
    np.testing.assert_array_equal(read, expected)


def test_batch_and_library(dpid, folder):
    array = photo("in/photo.png") if Path("in").mkdir() is None else None
    words = (
        "batch",
        "in",
        "out",
        "--size",
        "20x20",
        "--fit",
        "fill",
        "--gravity",
        "east",
        "--report",
        "r.jsonl",
    )
    assert dpid(*words).exit_code == 0
    expected = cropped_and_downscaled(array, (30, 0, 60, 60), (20, 20))
    np.testing.assert_array_equal(pixels("out/photo.png"), expected)
    assert lines()["in/photo.png"]["crops"] == [[30, 0, 60, 60]]
    pair = [("in/photo.png", "a.png")]
    (result,) = dpid_cli.batch(pair, size=(20, 20), fit="fill", gravity="east")
    assert result.crops == ((30, 0, 60, 60),)
    np.testing.assert_array_equal(pixels("a.png"), expected)
    (result,) = dpid_cli.batch(pair, size=(20, 20), crop=(30.0, 0, 60, 60), overwrite=True)
    np.testing.assert_array_equal(pixels("a.png"), expected)
    assert dpid("batch", "in", "m", "-s", "2", "--crop", "1,1,21,11", "--multiple-of", "4").exit_code == 0
    np.testing.assert_array_equal(pixels("m/photo.png"), dpid_cli.downscale(array[1:9, 1:21], scale=2))
    words = (
        "batch",
        "in",
        "lr",
        "-s",
        "2",
        "--crop",
        "1,2,20,10",
        "--hr",
        "hr",
        "--name",
        "{stem}_{width}{ext}",
    )
    assert dpid(*words).exit_code == 0
    np.testing.assert_array_equal(pixels("hr/photo.png"), array[2:12, 1:21])
    assert Path("lr/photo_10.png").exists()


@pytest.mark.parametrize(
    "words",
    [
        "--size 9x9 --gravity north", "-s 2 --gravity north", "--size 9x9 --fit fill --gravity up",
        "--size 9x9 --fit fill --gravity 1,2,3", "--size 9x9 --fit fill --gravity -1,2", "-s 2 --fit fill",
        "-s 2 --crop 1,2,3", "-s 2 --crop 1,2,3,x", "-s 2 --crop 1,2,0,9", "-s 2 --crop 1,2,90,9",
        "--size 91x9 --fit fill", "--width 50 --crop 1,2,49,9", "-s 2 --crop 1.5,2,9,9 -m lanczos",
        "-s 2 --crop 1.5,2,9,9 -m box --window 9",
    ],
)  # fmt: skip
def test_errors(dpid, folder, words):
    photo()
    result = dpid("downscale", "photo.png", "-o", "out.png", *words.split())
    assert (result.exit_code, Path("out.png").exists()) == (2, False)
    assert is_one_error_line(result.stderr)


@pytest.mark.parametrize(
    "words", ["--fit fill --hr x", "--crop 1.5,1,9,9 --hr x", "--crop 1.5,1,9,9 --multiple-of 2"]
)
def test_batch_errors(dpid, folder, words):
    photo()
    result = dpid("batch", ".", "out", "--size", "5x5", *words.split())
    assert result.exit_code == 2 and is_one_error_line(result.stderr) and not Path("out").exists()


def test_regions_move_with_the_part(dpid, folder):
    """A face in XMP: 0.5 of 0.2 of the width is 10 of 60 pixels further left after 30 are gone."""
    photo()
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
        b'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/'
        b'Dimensions#"><mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="90" '
        b'stDim:h="60" stDim:unit="pixel"/><mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description '
        b'mwg-rs:Name="A" mwg-rs:Type="Face"><mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.2" '
        b'stArea:h="0.3" stArea:unit="normalized"/></rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList>'
        b"</mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    Image.fromarray(pixels("photo.png")).save("in.jpg", xmp=packet, quality=95)
    words = ("--size", "20x20", "--fit", "fill", "--gravity", "east", "-o", "out.jpg")
    assert dpid("downscale", "in.jpg", *words).exit_code == 0
    with Image.open("out.jpg") as image:
        text = image.info["xmp"].decode()
    assert 'stArea:x="0.25"' in text and 'stArea:y="0.5"' in text and 'stArea:w="0.3"' in text
    assert 'stDim:w="20"' in text


def test_the_record_tells_the_part(dpid, folder):
    photo()
    outcome(dpid, "--crop", "10.5,20.25,40,30", "-s", "2")
    with Image.open("out.png") as image:
        assert " crop=10.5,20.25,40,30" in image.text["Software"]
