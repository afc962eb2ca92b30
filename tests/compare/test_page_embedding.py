"""What a page contains: pixels without loss, no path, no code but its own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import dpid_cli
from dpid_cli.compare.embedding import ALPHABET, as_text, packed
from support.command import SAMPLES, pixels
from support.embedded import bytes_of, data_of, outputs_of, unpacked


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 70), st.sampled_from([1, 3, 4])),
    st.sampled_from([1, 2, 5, 255]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_pixels_come_back(shape, steps, seed):
    """Smooth, noisy and flat pixels of any shape."""
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, steps, shape).cumsum(axis=1) % 256).astype(np.uint8)
    np.testing.assert_array_equal(unpacked(packed(image)), image)


@given(st.binary(max_size=200))
def test_bytes_come_back_from_text(data):
    text = as_text(data)
    assert bytes_of(text) == data and set(text) <= set(ALPHABET)
    assert 8 * len(data) <= 6.5 * len(text) <= 8 * len(data) + 6.5
    assert json.dumps(text) == f'"{text}"' and "<" not in text


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pages_hold_every_pixel(dpid, folder, noise, mode):
    source = Image.fromarray(np.dstack([noise, noise[..., 0]]))
    (source if mode == "RGBA" else source.convert(mode)).save("photo.png")
    words = "-m nearest -m lanczos -m box" + (" -m dpid --sweep lambda=0,1" if mode == "RGB" else "")
    assert dpid("compare", "photo.png", "-s", "4", *words.split(), "-o", "page.html").exit_code == 0
    page = Path("page.html").read_text()
    shown = outputs_of(page)
    expected = {"nearest": "-m nearest", "lanczos": "-m lanczos", "box": "-m box"}
    if mode == "RGB":
        expected |= {"dpid:lambda=0": "--lambda 0", "dpid:lambda=1": "--lambda 1"}
    assert shown.keys() == expected.keys()
    kind = {"L": "L", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}[mode]
    for name, options in expected.items():
        written = dpid("downscale", "photo.png", "-s", "4", *options.split(), "--overwrite").stdout.strip()
        with Image.open(written) as image:
            np.testing.assert_array_equal(np.squeeze(shown[name]), image.convert(kind))
    with Image.open("photo.png") as image:
        whole = unpacked(data_of(page)["input"]["packed"])
        np.testing.assert_array_equal(np.squeeze(whole), image.convert(kind))


def test_16_bits_are_rounded(dpid, folder, noise):
    deep = noise[..., 0].astype(np.uint16) * 250
    Image.fromarray(deep).save("deep.png")
    assert dpid("compare", "deep.png", "-s", "4", "-m", "box", "-o", "page.html").exit_code == 0
    page = Path("page.html").read_text()
    expected = np.rint(dpid_cli.downscale(deep, scale=4, method="box") / 257)
    np.testing.assert_array_equal(outputs_of(page)["box"][..., 0], expected)
    assert "rounded to 8 bits" in page and data_of(page)["live"] is False


def test_box_is_there_to_compare_with(dpid, photo, noise):
    assert dpid("compare", "photo.png", "-s", "4", "-m", "max", "-o", "page.html").exit_code == 0
    page = Path("page.html").read_text()
    shown = outputs_of(page)
    assert list(shown) == ["box", "max"]
    np.testing.assert_array_equal(shown["box"], dpid_cli.downscale(noise, scale=4, method="box"))
    assert '<th scope="row">max' in page and '<th scope="row">box' not in page  # nobody asked for it


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("-m max -m dpid:lambda=0.5 -m dpid:lambda=1.5 -m dpid:lambda=0.9", ("box", "dpid:lambda=0.9")),
        ("-m dpp -m dpid:lambda=auto", ("box", "dpid:lambda=auto")),
        ("-m max -m min", ("box", "max")),
        ("-m box", ("input", "box")),
    ],
)
def test_the_pair_that_comes_first(dpid, photo, words, first):
    assert dpid("compare", "photo.png", "-s", "4", *words.split(), "-o", "page.html").exit_code == 0
    assert tuple(data_of(Path("page.html").read_text())["first"].values()) == first


def test_sweeps(dpid, photo):
    words = ("-m", "dpp", "-m", "box", "--sweep", "lambda=0:1:0.5", "--sweep", "alpha=0,0.1")
    assert dpid("compare", "photo.png", "-s", "4", *words, "-o", "page.html").exit_code == 0
    data = data_of(Path("page.html").read_text())
    assert data["sweeps"] == {
        "lambda": {"symbol": "λ", "values": ["0", "0.5", "1"]},
        "alpha": {"symbol": "α", "values": ["0", "0.1"]},
    }
    assert [layer["swept"] for layer in data["layers"]][:3] == [
        {},
        {"lambda": "0", "alpha": "0"},
        {"lambda": "0", "alpha": "0.1"},
    ]
    assert len(data["layers"]) == 7
    assert data["layers"][2]["parameters"]["alpha"] == 0.1


def test_a_large_input_is_exact_at_the_places(dpid, folder):
    rng = np.random.default_rng(5)
    large = rng.integers(0, 256, (1200, 1500, 3), np.uint8)
    Image.fromarray(large).save("large.png", compress_level=1)
    words = ("-s", "3", "-m", "box", "--no-metrics", "--closeup", "300,600,90,60", "--closeup", "0,0,30,30")
    assert dpid("compare", "large.png", *words, "-o", "page.html").exit_code == 0
    page = Path("page.html").read_text()
    source = data_of(page)["input"]
    corners = [tuple(place["at"]) for place in source["places"]]
    assert corners == [(297, 597), (0, 0)]  # and one more window around
    for (left, top), place in zip(corners, source["places"], strict=True):
        part = unpacked(place["packed"])
        height, width = part.shape[:2]
        np.testing.assert_array_equal(part, large[top : top + height, left : left + width])
    assert (height, width) == (33, 33)
    with Image.open(io.BytesIO(base64.b64decode(source["preview"].split(",")[1]))) as preview:
        assert preview.size == (1500, 1200)
    assert "lossy preview of 1500×1200 pixels; at A and B it is exact." in page


def test_previews_are_never_smaller_than_the_output(dpid, folder):
    Image.fromarray(np.zeros((2600, 2600), np.uint8)).save("flat.png")
    for scale, size in (("1.1", 2364), ("4", 2000)):
        words = (
            "-s",
            scale,
            "-m",
            "box",
            "--no-metrics",
            "--closeups",
            "0",
            "--overwrite",
            "-o",
            "page.html",
        )
        assert dpid("compare", "flat.png", *words).exit_code == 0
        source = data_of(Path("page.html").read_text())["input"]
        with Image.open(io.BytesIO(base64.b64decode(source["preview"].split(",")[1]))) as preview:
            assert preview.size == (size, size)


def test_a_page_of_a_megapixel_is_small(dpid, folder):
    """Twelve outputs of a megapixel from an image with the shades, edges and noise of a photograph."""
    rng = np.random.default_rng(1)
    with Image.open(SAMPLES / "chelsea.png") as cat:
        base = np.array(cat.convert("RGB").resize((2000, 2000), Image.Resampling.BICUBIC)).astype(float)
    noisy = np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save("large.png", compress_level=1)
    words = ("--sweep", "lambda=0:2.75:0.25", "--no-metrics", "-o", "page.html")
    assert dpid("compare", "large.png", "-s", "2", *words).exit_code == 0
    text = Path("page.html").read_bytes()
    assert len(data_of(text.decode())["layers"]) == 13  # with box
    assert len(text) < 10_000_000


@pytest.mark.parametrize("sample", ["chelsea.png", "text.png", "rocket.jpg"])
def test_outputs_take_no_more_than_as_images(dpid, folder, sample):
    """As lossless WebP of their differences in base64, which browsers could decode without a script."""
    words = ("-s", "4", "--no-metrics", "--to-srgb", "-o", "page.html")
    assert dpid("compare", str(SAMPLES / sample), *words).exit_code == 0
    page = Path("page.html").read_text()
    taken = sum(len(layer["packed"]["text"]) for layer in data_of(page)["layers"])
    before, images = 0, 0
    for output in outputs_of(page).values():
        rgb = np.broadcast_to(output, (*output.shape[:2], 3))
        stream = io.BytesIO()
        Image.fromarray(rgb - before).save(stream, "WEBP", lossless=True, quality=50, method=2, exact=True)
        before, images = rgb, images + 4 * -(-stream.tell() // 3)
    assert taken < images


@pytest.mark.parametrize("treatment", ["--linear", "--transparency drop --background #204060", "--depth 16"])
def test_colours_are_treated_as_by_downscale(dpid, folder, noise, treatment):
    Image.fromarray(np.dstack([noise, noise[..., 0]])).save("glass.png")
    options = [*treatment.split(), "-s", "4", "-m", "nearest"]
    assert dpid("compare", "glass.png", *options, "-o", "page.html", "--no-metrics").exit_code == 0
    shown = outputs_of(Path("page.html").read_text())["nearest"]
    assert dpid("downscale", "glass.png", *options, "--depth", "8", "-o", "small.png").exit_code == 0
    np.testing.assert_array_equal(shown, pixels("small.png"))


def test_colours_are_converted_for_display(dpid, folder):
    """The output in its own colours, converted by LittleCMS through Pillow."""
    with Image.open(SAMPLES / "rocket.jpg") as rocket:  # in Adobe RGB
        part, profile = rocket.crop((0, 200, 64, 264)), rocket.info["icc_profile"]
    part.save("photo.png", icc_profile=profile)
    result = dpid("compare", "photo.png", "-s", "4", "-m", "box", "-o", "page.html")
    assert result.exit_code == 0 and result.stderr.startswith("page.html: ")  # only its size
    page = Path("page.html").read_text()
    assert dpid("downscale", "photo.png", "-s", "4", "-m", "box", "-o", "small.png").exit_code == 0
    target = ImageCms.createProfile("sRGB")
    with Image.open("small.png") as small:
        own, converted = np.array(small), ImageCms.profileToProfile(
            small, io.BytesIO(profile), target, ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    shown = outputs_of(page)["box"].astype(int)
    assert np.abs(shown - np.array(converted)).max() <= 1 < np.abs(shown - own).max()
    assert "converted from the input's profile to sRGB for display" in unescape(page)
    assert "cannot convert colours from the input's profile exactly" in unescape(page)
    assert data_of(page)["live"] is False


class TestHostileNames:
    """Names that try to become part of the page."""

    NAME = "<b>&\"'$title<script>alert(1)<!--.png"

    @pytest.fixture
    def page(self, dpid, folder, noise) -> str:
        (folder / "secret folder").mkdir()
        Image.fromarray(noise).save(Path("secret folder", self.NAME))
        words = ("-s", "4", "-o", "page.html", "--", str(folder / "secret folder" / self.NAME))
        assert dpid("compare", *words).exit_code == 0
        return Path("page.html").read_text()

    def test_names_are_text(self, page):
        assert data_of(page)["name"] == self.NAME
        kinds = re.findall("<script( type=[^ >]*)?", page)
        assert (
            len(kinds) - kinds.count(' type="text/plain"') == 2 and "<b>&" not in page and "<!--" not in page
        )
        assert unescape(re.search("<title>(.*?)</title>", page)[1]) == self.NAME

    def test_no_folder_is_told(self, page):
        assert "secret folder" not in page

    def test_the_policy_allows_this_style_and_these_scripts_alone(self, page):
        rules = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
        policy = dict(rule.split(" ", 1) for rule in unescape(rules).split("; "))
        assert policy["default-src"] == "'none'" and "unsafe" not in rules
        (style,) = re.findall("<style>(.*?)</style>", page, re.S)
        (loader,) = re.findall("<script>(.*?)</script>", page, re.S)
        length, text = re.search(r'id="script" data-length="(\d+)">(.*?)</script>', page, re.S).groups()
        script = zlib.decompressobj(-15).decompress(bytes_of(text))
        assert len(script) == int(length)
        allowed = [base64.b64encode(hashlib.sha256(part).digest()).decode() for part in
                   (style.encode(), loader.encode(), script)]  # fmt: skip
        assert [policy["style-src"], *policy["script-src"].split()] == [f"'sha256-{one}'" for one in allowed]
        assert not re.search(r"\s(style|on\w+)=", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S))
        assert "http://" not in page and "https://" not in page


def test_an_index_names_files_without_folders(dpid, folder, noise):
    (folder / "in put").mkdir()
    Image.fromarray(noise).save(folder / "in put" / "a.png")
    (folder / "in put" / "broken.png").write_bytes(b"no picture")
    result = dpid("compare", str(folder / "in put"), "-s", "4", "-o", "report.html")
    assert result.exit_code == 1 and str(folder) in result.stderr
    index = Path("report.html").read_text()
    assert "<li>broken.png: " in index and str(folder) not in index
    assert str(folder) not in Path("report", "a.html").read_text()
    assert "unsafe" not in index
