"""Images of Pillow in, images of Pillow out: like their arrays, and like the command's files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli import ArgumentError
from support.command import SAMPLES
from support.exact import random_image

PLAIN = ["L", "RGB", "CMYK", "YCbCr", "RGBX", "RGBa", "La", "LA", "RGBA", "LAB"]


def opaque(mode: str) -> Image.Image:
    """Noise whose last channel, if it is alpha, is full."""
    levels = random_image((24, 36, len(Image.new(mode, (1, 1)).getbands())), "uint8", seed=3)
    if mode in ("LA", "RGBA"):
        levels[..., -1] = 255
    return Image.frombytes(mode, (36, 24), levels.tobytes())


@pytest.mark.parametrize("mode", PLAIN)
def test_modes_of_bytes(mode):
    image = opaque(mode)
    result = dpid_cli.downscale(image, scale=4, method="dpp")
    assert isinstance(result, Image.Image) and (result.mode, result.size) == (mode, (9, 6))
    expected = dpid_cli.downscale(np.asarray(image), scale=4, method="dpp")
    np.testing.assert_array_equal(np.asarray(result), expected)


@pytest.mark.parametrize(("mode", "dtype"), [("I;16", "<u2"), ("I;16B", ">u2"), ("I", "=i4"), ("F", "=f4")])
def test_modes_of_more_bits(mode, dtype):
    values = random_image((24, 36), "uint16", seed=4).astype(dtype)
    image = Image.frombytes(mode, (36, 24), values.tobytes())
    result = dpid_cli.downscale(image, size=(9, 6))
    assert (result.mode, result.size) == (mode, (9, 6))
    np.testing.assert_array_equal(np.asarray(result), dpid_cli.downscale(values, size=(9, 6)))


def test_black_and_white():
    image = opaque("L").point(lambda level: 255 * (level > 100), "1")
    result = dpid_cli.downscale(image, scale=4, method="box")
    assert result.mode == "1"
    shares = np.asarray(image, np.float64).reshape(6, 4, 9, 4).mean((1, 3))
    np.testing.assert_array_equal(np.asarray(result), shares >= 0.5)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"lambda": "0.5", "linear": None}, {"noise": "0.05"}])
def test_transparent_images_are_those_of_the_command(dpid, folder, mode, options):
    levels = random_image((24, 36, len(mode) if mode == "LA" else 4), "uint8", seed=5)
    image = Image.frombytes(mode, (36, 24), levels.tobytes())
    image.save(folder / "in.png")
    words = [word for name, value in options.items() for word in (f"--{name}", value) if word is not None]
    dpid("downscale", "in.png", "-s", "4", *words, "-o", "out.png")
    keywords = {"lambda_" if name == "lambda" else name: value for name, value in options.items()}
    keywords = {name: True if value is None else float(value) for name, value in keywords.items()}
    with Image.open(folder / "out.png") as expected:
        result = dpid_cli.downscale(image, scale=4, **keywords)
        assert result.mode == mode == expected.mode
        np.testing.assert_array_equal(np.asarray(result), np.asarray(expected))


def test_hidden_colours_do_not_count():
    """A white box gets no fringe of the black that is hidden around it."""
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (10, 13, 47, 51))
    result = np.asarray(dpid_cli.downscale(image, scale=4))
    visible = result[..., 3] > 0
    assert (result[visible][:, :3] == 255).all() and not result[~visible].any()
    by_array = dpid_cli.downscale(np.asarray(image), scale=4)
    assert (by_array[..., 0][by_array[..., 3] > 0] < 255).any()


def test_noise_that_is_measured_is_none_of_alpha():
    rng = np.random.default_rng(6)
    levels = rng.normal(128, 10, (128, 128, 2)).round().clip(0, 255).astype(np.uint8)
    levels[..., 1] = 200
    image = Image.frombytes("LA", (128, 128), levels.tobytes())
    (noise,) = dpid_cli.automatic(levels[..., 0] * np.float32(200 / 255 / 255), scale=4, noise="auto")[
        "noise"
    ]
    automatic, given = (dpid_cli.downscale(image, scale=4, noise=value) for value in ("auto", noise))
    difference = np.asarray(automatic, int) - np.asarray(given, int)
    assert np.abs(difference).max() <= 1


def test_what_belongs_to_an_image_stays():
    with Image.open(SAMPLES / "rocket.jpg") as image:
        result = dpid_cli.downscale(image, scale=8)
        assert result.info == image.info and result.info is not image.info


def test_files_that_are_open_become_pixels():
    with Image.open(SAMPLES / "rocket.jpg") as image:
        expected = dpid_cli.downscale(np.asarray(image), scale=8)
        np.testing.assert_array_equal(np.asarray(dpid_cli.downscale(image, scale=8)), expected)


def test_maps_may_be_images():
    image, mask = opaque("RGB"), opaque("L")
    guide = dpid_cli.downscale(image, scale=4, method="box")
    result = dpid_cli.downscale(image, scale=4, importance=mask, guidance=guide)
    expected = dpid_cli.downscale(
        np.asarray(image), scale=4, importance=np.asarray(mask), guidance=np.asarray(guide)
    )
    np.testing.assert_array_equal(np.asarray(result), expected)


def clear_palette() -> Image.Image:
    image = Image.new("P", (8, 8))
    image.info["transparency"] = 0
    return image


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        (Image.new("P", (8, 8)), {}, r'image: has a palette, .*: give image.convert\("RGB"\)'),
        (clear_palette(), {}, r'image: has a palette, .*: give image.convert\("RGBA"\)'),
        (Image.new("HSV", (8, 8)), {}, r'image: hues cannot be averaged .*: give image.convert\("RGB"\)'),
        (Image.new("RGB", (8, 8)), {"channel_axis": 2}, "channel_axis: is for arrays: leave it out"),
        (Image.new("RGB", (8, 8)), {"scale": 0.5}, "scale: 0.5 would enlarge"),
        (Image.new("F", (8, 8), 255), {"method": "dpp"}, r"should be intensities in \[0, 1\]"),
        (Image.new("RGBA", (8, 8)), {"guidance": Image.new("RGB", (4, 4))}, "guidance: an image cannot"),
    ],
)
def test_what_cannot_be_said_of_images(image, options, words):
    with pytest.raises(ArgumentError, match=words):
        dpid_cli.downscale(image, **{"scale": 2, **options})


def test_noise_of_transparent_images_is_that_of_the_crop():
    rng = np.random.default_rng(5)
    pixels = np.full((96, 96, 4), 255, np.uint8)
    pixels[:, :24, :3] = rng.integers(120, 137, (96, 24, 3))
    pixels[:, 24:, :3] = rng.integers(60, 197, (96, 72, 3))  # with more noise
    pixels[0, 0, 3] = 0
    image, crop = Image.fromarray(pixels, "RGBA"), (0, 0, 24, 96)
    part = dpid_cli.downscale(image.crop(crop), scale=4, noise="auto").tobytes()
    assert dpid_cli.downscale(image, scale=4, crop=crop, noise="auto").tobytes() == part
    assert dpid_cli.downscale(image, scale=4, crop=crop).tobytes() != part
